"""The inbox runner: the prompt waits for the next interactive agent, or a person."""

from __future__ import annotations

import json
from typing import ClassVar

from pydantic import BaseModel

from rota.model.config import WorkspaceConfig
from rota.model.message import INBOX, PROMPT
from rota.model.run import Reason
from rota.ports.agents import AgentRequest, RunnerContext, RunnerState
from rota.ports.keys import NoKeys
from rota.ports.steps import StepContext, Waiting


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
        reason = Reason(INBOX, "waits in the inbox for an agent or a person")
        return Waiting(kind=PROMPT, question=_whole(request), reason=reason)


def _whole(request: AgentRequest) -> str:
    """The prompt with all that belongs to it, for somebody who sees nothing else."""
    parts = [request.prompt.rstrip()]
    if request.system:
        parts = ["# Instructions", request.system.strip(), "# What is asked", *parts]
    if request.schema is not None:
        schema = json.dumps(request.schema, indent=2, ensure_ascii=False)
        parts += ["# The answer", f"JSON alone, which fits this schema:\n\n```json\n{schema}\n```"]
    return request.prompt if len(parts) == 1 else "\n\n".join(parts) + "\n"
