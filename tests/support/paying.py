"""A runner that asks no model and pays all the same: it tells of as many responses as its prompt says.

The prompt is JSON: `responses`, `output` (tokens of each), `model`, `key` (a prefix of the responses' keys), `pause`
(seconds after each). Of `gpt-5` 10,000 tokens of output are $0.10.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import ClassVar

from pydantic import BaseModel

from rota.model.agent import Outcome, Response, Usage
from rota.model.config import WorkspaceConfig
from rota.ports.agents import AgentRequest, AgentResult, NoKeys, RunnerContext, RunnerState
from rota.ports.steps import StepContext

MODEL = "gpt-5"
TEN_CENTS = 10_000


class PayingRunner:
    """Stops as soon as the account says so. `asked`: how many responses it asked for in all."""

    key: ClassVar[str] = "paying"
    params: ClassVar[type[BaseModel]] = NoKeys

    def __init__(self) -> None:
        self.asked = 0
        self.between: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)

    def configured(self, config: WorkspaceConfig) -> bool:  # a runner that needs nothing
        return True

    async def state(self, ctx: RunnerContext) -> RunnerState:  # as above
        return RunnerState(found=True)

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult:
        assert request.account is not None
        said = json.loads(request.prompt)
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
            await asyncio.sleep(said.get("pause", 0))
            if words is not None:
                return AgentResult(Outcome.BUDGET, detail=words)
        return AgentResult(Outcome.DONE, "answered")
