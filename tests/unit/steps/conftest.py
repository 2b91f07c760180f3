"""A bench for steps: a workspace, real commands, hosts that call in this process, and recorded notifications."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pytest

from rota.engine.board import StoredBoard
from rota.engine.host_code import FreshFinder, call_target
from rota.model.agent import Outcome
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.job import Job, Notify, Step
from rota.model.run import Run, RunState
from rota.ports.agents import AgentRequest, AgentResult, Runner, RunnerContext, RunnerState
from rota.ports.processes import Command, Exit, HostCall, OnOutput
from rota.ports.sources import Conflict
from rota.ports.steps import (
    ChannelKind,
    Done,
    Failed,
    Services,
    SourceKind,
    StepContext,
    StepResult,
)
from rota.ports.store import Store
from rota.steps.registry import STEPS
from rota.store import open_store
from rota.templates import render_value

NOW: Micros = 1_795_000_000_000_000  # 2026-11-18T11:06:40Z


class Clock:
    def now(self) -> Micros:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(
        self, seconds: float, wake: asyncio.Event | None = None, *, exactly: bool = False
    ) -> None:
        raise AssertionError("a step does not sleep")


class Processes:
    """Runs commands for real, without a session of their own."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    async def run(self, command: Command, on_output: OnOutput) -> Exit:
        self.commands.append(command)
        child = await asyncio.create_subprocess_exec(
            *command.argv, cwd=command.cwd, env=dict(command.env),
            stdin=asyncio.subprocess.DEVNULL if command.stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await child.communicate(command.stdin)
        for stream, data in (("stdout", out), ("stderr", err)):
            if data:
                on_output(stream, data)
        code = child.returncode or 0
        return Exit(None, -code) if code < 0 else Exit(code)

    async def sweep(self, markers: Mapping[str, str]) -> int:
        return 0

    async def close(self) -> None:
        return None


class Hosts:
    """Calls functions in a thread of this process, through JSON as a host does."""

    def __init__(self) -> None:
        self.calls: list[HostCall] = []

    async def call(self, call: HostCall, on_output: OnOutput) -> Any:
        self.calls.append(call)
        return await asyncio.to_thread(self._call, call)

    def _call(self, call: HostCall) -> Any:
        before = list(sys.path)
        sys.path[:0] = [str(path) for path in call.paths]
        finder = FreshFinder([], {})
        try:
            result = call_target(call.target, json.loads(json.dumps(call.kwargs)), finder)
            return json.loads(json.dumps(result))
        finally:
            sys.path[:] = before

    async def close(self) -> None:
        return None


@dataclass
class Secrets:
    stored: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        return self.stored.get(name, self.environment.get(name))

    def known(self) -> Mapping[str, str]:
        return self.stored


class Notifier:
    def __init__(self) -> None:
        self.sent: list[Notify] = []

    async def notify(self, notify: Notify, ctx: StepContext) -> bool:
        if notify in self.sent:
            return False
        self.sent.append(notify)
        return True


class States:
    """Where sources were left, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.failures: dict[str, str] = {}
        self.told: list[Conflict] = []

    async def get(self, name: str) -> Any:
        return self.kept.get(name)

    async def put(self, kept: Mapping[str, Any]) -> None:
        self.kept.update(kept)

    async def failed(self, source: str, message: str) -> None:
        self.failures[source] = message

    async def tell(self, source: str, conflicts: Sequence[Conflict], config: WorkspaceConfig) -> None:
        self.told += conflicts


@dataclass
class EchoRunner:
    """Answers with what it was asked."""

    key: str
    ready: bool = True
    requests: list[AgentRequest] = field(default_factory=list)
    answers: list[AgentResult] = field(default_factory=list)

    def configured(self, config: WorkspaceConfig) -> bool:
        return self.ready

    async def state(self, ctx: RunnerContext) -> RunnerState:
        return RunnerState(self.ready, missing=None if self.ready else f"`{self.key}` is not on PATH")

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult:
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else AgentResult(Outcome.DONE, f"{self.key} answers")


@dataclass
class Bench:
    """Runs one step as the executor does, and keeps what it logged."""

    workspace: Path
    config: WorkspaceConfig = field(default_factory=WorkspaceConfig)
    processes: Processes = field(default_factory=Processes)
    hosts: Hosts = field(default_factory=Hosts)
    secrets: Secrets = field(default_factory=Secrets)
    notifier: Notifier = field(default_factory=Notifier)
    states: States = field(default_factory=States)
    sources: dict[str, SourceKind] = field(default_factory=dict)
    channels: dict[str, ChannelKind] = field(default_factory=dict)
    runners: dict[str, EchoRunner] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    log: bytearray = field(default_factory=bytearray)

    @cached_property
    def board(self) -> StoredBoard:
        """The real board, in a state of its own."""
        return StoredBoard(self.store, Clock(), self.secrets)

    @cached_property
    def store(self) -> Store:
        """The state that the board is in."""
        return open_store(self.workspace / ".rota" / "state.db")

    def file(self, path: str, text: str = "", mode: int = 0o644) -> Path:
        """A file of the workspace."""
        target = self.workspace / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        return target

    def settings(self, **changes: Any) -> None:
        """Change the workspace's configuration."""
        self.config = replace(self.config, **changes)

    def run(self, config: Mapping[str, Any], *, values: Mapping[str, Any] | None = None) -> StepResult:
        """Render and validate the keys as the executor does, and run the step."""
        kind = STEPS[next(key for key in config if key in STEPS)]
        step = Step("step", kind.key, dict(config))
        job = Job("job", "Job", (step,))
        seen = {"timezone": "Europe/London", **(values or {})}
        rendered = {k: v if k in kind.raw else render_value(v, seen) for k, v in config.items()}
        ctx = StepContext(
            workspace=self.workspace, config=self.config, job=job, step=step,
            run=Run("run-1", "job", RunState.RUNNING, "hash", NOW), attempt=1, values=seen, env=self.env,
            timeout=30.0, log=lambda _stream, data: self.log.extend(data),
            services=Services(
                Clock(), self.processes, self.hosts, self.secrets, STEPS, self.sources, self.channels,
                cast("dict[str, Runner]", self.runners), self.notifier, self.states, board=self.board if kind.key == "card" else None,
            ),
        )  # fmt: skip
        return asyncio.run(kind.run(kind.params.model_validate(rendered), ctx))

    def done(self, config: Mapping[str, Any], **kwargs: Any) -> Done:
        """The result of a step that is to succeed."""
        result = self.run(config, **kwargs)
        assert isinstance(result, Done), result
        return result

    def failed(self, config: Mapping[str, Any], **kwargs: Any) -> Failed:
        """The result of a step that is to fail."""
        result = self.run(config, **kwargs)
        assert isinstance(result, Failed), result
        return result


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench in a fresh workspace."""
    workspace = tmp_path / "workspace"
    (workspace / ".rota" / "jobs").mkdir(parents=True)
    bench = Bench(workspace)
    yield bench
    if "store" in vars(bench):
        bench.store.close()


@pytest.fixture
def echo() -> type[EchoRunner]:
    """Makes runners that answer at once."""
    return EchoRunner
