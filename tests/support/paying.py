"""A runner that asks no model and pays all the same: it tells of as many responses as its prompt says.

The prompt is JSON: `responses`, `output` (tokens of each), `model`, `key` (a prefix of the responses' keys), `pause`
(seconds after each), `breaks` (after how many the first try meets a fault of the provider); any other text is one response. Of `gpt-5` 10,000 tokens of output are $0.10.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from rota.model.agent import Outcome, Response, Usage
from rota.model.config import WorkspaceConfig
from rota.ports.agents import AgentRequest, AgentResult, RunnerContext, RunnerState
from rota.ports.keys import NoKeys
from rota.ports.steps import StepContext

MODEL = "gpt-5"
TEN_CENTS = 10_000
_ROOT = Path(__file__).resolve().parents[2]
_installed: set[str] = set()


class PayingRunner:
    """Stops as soon as the account says so. `asked`: how many responses it asked for in all."""

    key: ClassVar[str] = "paying"
    params: ClassVar[type[BaseModel]] = NoKeys
    aliases: ClassVar[frozenset[str]] = frozenset({"clever"})

    def __init__(self) -> None:
        self.asked = 0
        self.between: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)

    def configured(self, config: WorkspaceConfig) -> bool:  # a runner that needs nothing
        return True

    async def state(self, ctx: RunnerContext) -> RunnerState:  # as above
        return RunnerState(found=True)

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult:
        assert request.account is not None
        said = _read(request.prompt)
        for number in range(said.get("responses", 1)):
            await self.between()
            self.asked += 1
            words = await request.account.paid(
                Response(
                    key=f"{said.get('key', ctx.attempt)}-{number}",
                    model=said.get("model", MODEL),
                    usage=Usage(output=said.get("output", TEN_CENTS)),
                    client_usd=said.get("client_usd"),
                )
            )
            ctx.say(f"response {number}")
            if ctx.attempt == 1 and said.get("breaks") == number + 1:
                return AgentResult(Outcome.PROVIDER, detail="overloaded")
            await asyncio.sleep(said.get("pause", 0))
            if words is not None:
                return AgentResult(Outcome.BUDGET, detail=words)
        return AgentResult(Outcome.DONE, "answered")


def _read(prompt: str) -> dict[str, Any]:
    try:
        found = json.loads(prompt)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def install(folder: Path) -> str:
    """Make it a package's runner, for this process too; the PYTHONPATH with which `rota` finds it."""
    from rota.app.kinds import kinds

    about = folder / "rota_paying-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: rota-paying\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rota.runners]\npaying = tests.support.paying:PayingRunner\n")
    sys.path.append(str(folder))
    _installed.add(str(folder))
    kinds.cache_clear()
    return os.pathsep.join((str(folder), str(_ROOT)))


def forget() -> None:
    """This process knows it no more."""
    from rota.app.kinds import kinds

    if _installed:
        sys.path[:] = [path for path in sys.path if path not in _installed]
        _installed.clear()
        kinds.cache_clear()
