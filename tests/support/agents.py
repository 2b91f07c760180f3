"""A runner whose answers a test gives, one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import BaseModel

from rota.model.agent import AgentSession, Outcome, run_key
from rota.model.config import WorkspaceConfig
from rota.ports.agents import AgentRequest, AgentResult, RunnerContext, RunnerState
from rota.ports.keys import NoKeys
from rota.ports.steps import StepContext, Waiting

Turn = Callable[[AgentRequest, StepContext], AgentResult | Waiting | Awaitable[AgentResult | Waiting]]


@dataclass
class ScriptedRunner:
    """Gives what the test says; then `done`. Its conversations have ids, `talk-1` and so on, which it puts first."""

    key: str = "scripted"
    ready: bool = True
    continues: bool = True
    params: ClassVar[type[BaseModel]] = NoKeys
    turns: list[AgentResult | Turn] = field(default_factory=list)
    requests: list[AgentRequest] = field(default_factory=list)
    talks: int = 0

    def configured(self, config: WorkspaceConfig) -> bool:
        return self.ready

    async def state(self, ctx: RunnerContext) -> RunnerState:
        return RunnerState(self.ready, missing=None if self.ready else f"`{self.key}` is not on PATH")

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult | Waiting:
        self.requests.append(request)
        session = request.session or self._new(ctx)
        if ctx.services.sessions is not None and self.continues:
            await ctx.services.sessions.put(session)
        turn = self.turns.pop(0) if self.turns else AgentResult(Outcome.DONE, "done")
        result = turn(request, ctx) if callable(turn) else turn
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, Waiting) or result.session is not None or not self.continues:
            return result
        return AgentResult(**{**vars(result), "session": session})

    def _new(self, ctx: StepContext) -> AgentSession:
        self.talks += 1
        return AgentSession(run_key(ctx.run.id, ctx.step.id), self.key, f"talk-{self.talks}")

    @property
    def prompts(self) -> list[str]:
        """What it was asked, each time."""
        return [request.prompt for request in self.requests]

    @property
    def ids(self) -> list[str | None]:
        """Which conversation it was to go on with, each time."""
        return [None if request.session is None else request.session.id for request in self.requests]
