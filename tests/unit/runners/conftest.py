"""A context for runners, in which a program is a function."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from rota.model.config import WorkspaceConfig
from rota.model.job import Job, Step
from rota.model.run import Run, RunState
from rota.ports.agents import AgentRequest, AgentResult, Runner
from rota.ports.clock import SystemClock
from rota.ports.processes import Command, Exit, OnOutput
from rota.ports.steps import Services, StepContext, Waiting


class Around:
    """Secrets that are variables of the environment."""

    def get(self, name: str) -> str | None:
        """SecretSource.get."""
        return os.environ.get(name)

    def known(self) -> Mapping[str, str]:
        """SecretSource.known."""
        return {}


@dataclass
class Desk:
    """Runs one request; `program` is what any command does."""

    workspace: Path
    config: WorkspaceConfig = field(default_factory=WorkspaceConfig)
    program: Callable[[Command, OnOutput], Exit | Awaitable[Exit]] = lambda _command, _on_output: Exit(0)
    commands: list[Command] = field(default_factory=list)
    log: bytearray = field(default_factory=bytearray)

    async def run(self, command: Command, on_output: OnOutput) -> Exit:
        """Processes.run."""
        self.commands.append(command)
        found = self.program(command, on_output)
        return found if isinstance(found, Exit) else await found

    async def sweep(self, markers: Mapping[str, str]) -> int:
        """Processes.sweep."""
        return 0

    async def close(self) -> None:
        """Processes.close."""

    def ask(self, runner: Runner, request: AgentRequest) -> AgentResult | Waiting:
        """Have a runner work on a request."""
        step = Step("ask", "agent")
        unused = cast("Any", None)
        ctx = StepContext(
            workspace=self.workspace, config=self.config, job=Job("job", "Job", (step,)), step=step,
            run=Run("run-1", "job", RunState.RUNNING, "hash", 0), attempt=1, values={},
            env={"PATH": "/bin", "ROTA_RUN_ID": "run-1"}, timeout=30.0,
            log=lambda _stream, data: self.log.extend(data),
            services=Services(SystemClock(), self, unused, Around(), {}, {}, {}, {}, unused, unused),
        )  # fmt: skip
        return asyncio.run(runner.run(request, ctx))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk in an empty workspace."""
    return Desk(tmp_path)
