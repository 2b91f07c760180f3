"""The inbox runner: the prompt waits for the next interactive agent, or a person."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel

from rota.model.config import WorkspaceConfig
from rota.model.message import PROMPT
from rota.model.run import Reason
from rota.ports.agents import AgentRequest, NoKeys, RunnerContext, RunnerState
from rota.ports.steps import StepContext, Waiting
from rota.runners._words import with_schema


class InboxRunner:
    """Puts the prompt into the inbox; the answer given there becomes the step's output."""

    key: ClassVar[str] = "inbox"
    params: ClassVar[type[BaseModel]] = NoKeys
    continues: ClassVar[bool] = False

    def configured(self, config: WorkspaceConfig) -> bool:  # noqa: ARG002 # a runner that needs nothing
        """Always: there is an inbox in every workspace."""
        return True

    async def state(self, ctx: RunnerContext) -> RunnerState:  # noqa: ARG002 # as above
        """It is there."""
        return RunnerState(found=True)

    async def run(self, request: AgentRequest, ctx: StepContext) -> Waiting:  # noqa: ARG002 # as above
        """Wait for an answer."""
        prompt = with_schema(request.prompt, request.schema)
        if request.system is not None:
            prompt = f"{request.system.rstrip()}\n\n---\n\n{prompt}"
        reason = Reason("inbox", "waits in the inbox for an agent or a person")
        return Waiting(kind=PROMPT, question=prompt, reason=reason)
