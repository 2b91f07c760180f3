"""Agent steps by real hosts and commands against a stub of the models' APIs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tests.support.clock import FakeClock
from tests.support.model_server import KEY, ModelServer

from rota.engine.hosts import HostPool
from rota.engine.spawner import Spawner
from rota.model.agent import AgentSession, Caps, Response
from rota.model.config import AgentConfig, WorkspaceConfig
from rota.model.job import Job, Step
from rota.model.run import Run, RunState
from rota.ports.agents import AgentRequest, AgentResult, Desk
from rota.ports.steps import Services, StepContext, Waiting
from rota.runners.builtin import BuiltinRunner


class Purse:
    """Account: keeps what it is told; `words` after `after` responses."""

    def __init__(self, words: str | None = None, after: int = 1) -> None:
        self.told: list[Response] = []
        self._words, self._after = words, after

    @property
    def caps(self) -> Caps:
        return Caps()

    async def paid(self, response: Response) -> str | None:
        self.told.append(response)
        return self._words if len({one.key for one in self.told}) >= self._after else None

    async def close(self) -> None:
        return None


class Shelf:
    """Sessions, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, AgentSession] = {}

    async def get(self, key: str) -> AgentSession | None:
        return self.kept.get(key)

    async def put(self, session: AgentSession) -> None:
        self.kept[session.key] = session

    async def drop(self, key: str) -> None:
        self.kept.pop(key, None)


class Known:
    """SecretSource."""

    def __init__(self, **secrets: str) -> None:
        self._secrets = secrets

    def get(self, name: str) -> str | None:
        return self._secrets.get(name)

    def known(self) -> Mapping[str, str]:
        return self._secrets


@dataclass
class Bench:
    """A workspace whose builtin agent asks the stub. Use it inside one event loop."""

    workspace: Path
    server: ModelServer
    settings: dict[str, Any] = field(default_factory=dict)
    desk: Desk | None = None
    log: bytearray = field(default_factory=bytearray)
    run_id: str = "run-1"

    def __post_init__(self) -> None:
        self.shelf = Shelf()
        self.hosts = HostPool({"PATH": os.environ["PATH"]}, python=sys.executable)
        self.processes = Spawner()

    def config(self, provider: str) -> WorkspaceConfig:
        url = self.server.url if provider == "anthropic" else self.server.openai_url
        settings = {"provider": provider, "base_url": url, "key": "${KEY}", "model": "stub", **self.settings}
        return WorkspaceConfig(agent=AgentConfig(settings={"builtin": settings}), root=str(self.workspace))

    async def ask(self, request: AgentRequest, provider: str = "anthropic") -> AgentResult:
        result = await BuiltinRunner().run(request, self.context(provider))
        assert not isinstance(result, Waiting)
        return result

    def context(self, provider: str = "anthropic") -> StepContext:
        step = Step("ask", "agent")
        unused = cast("Any", None)
        services = Services(
            FakeClock(), self.processes, self.hosts, Known(KEY=KEY), {}, {}, {}, {}, unused, unused,
            sessions=self.shelf, desk=self.desk,
        )  # fmt: skip
        return StepContext(
            workspace=self.workspace, config=self.config(provider), job=Job("job", "Job", (step,)), step=step,
            run=Run(self.run_id, "job", RunState.RUNNING, "hash", 0), attempt=1, values={},
            env={"PATH": os.environ["PATH"], "ROTA_RUN_ID": self.run_id, "ROTA_STEP": "ask", "ROTA_ATTEMPT": "1",
                 "HOME": str(self.workspace)},
            timeout=60.0, log=lambda _stream, data: self.log.extend(data), services=services,
        )  # fmt: skip

    async def close(self) -> None:
        await self.hosts.close()
        await self.processes.close()

    @property
    def said(self) -> str:
        return self.log.decode()


def conversation(bench: Bench, main: Any) -> Any:
    """Run a coroutine, and end what the bench has started."""

    async def whole() -> Any:
        try:
            return await main
        finally:
            await bench.close()

    return asyncio.run(whole())
