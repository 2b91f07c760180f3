"""The `agent` step: a prompt for an agent."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, Field, model_validator

from rota.model.job import OnInterrupt
from rota.ports.files import read_text, resolve_inside
from rota.ports.steps import StepContext, StepResult
from rota.steps.agent_keys import RAW, AgentKeys
from rota.steps.prompts import ask_agent
from rota.templates import render

_PROMPT_LIMIT = 1_000_000


class AgentParams(AgentKeys):
    """The keys of an `agent` step."""

    agent: str | None = Field(description="The prompt, a template. Secrets are not put into prompts.")
    prompt_file: str | None = Field(
        default=None,
        description="Instead of a prompt after `agent:`: the path of a template file in the workspace.",
    )

    @model_validator(mode="after")
    def _one_prompt(self) -> Self:
        if bool(self.agent and self.agent.strip()) == (self.prompt_file is not None):
            raise ValueError("give a prompt after `agent:`, or leave that empty and give a `prompt_file`")
        return self


class AgentStep:
    """Has an agent work on a prompt."""

    key: ClassVar[str] = "agent"
    params: ClassVar[type[BaseModel]] = AgentParams
    raw: ClassVar[frozenset[str]] = RAW | {"agent"}
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.ASK

    async def run(self, params: AgentParams, ctx: StepContext) -> StepResult:
        """Ask the agent; its answer is the output."""
        template = params.agent or ""
        if params.prompt_file is not None:
            path = resolve_inside(ctx.workspace, params.prompt_file, purpose="`prompt_file:`", reading=True)
            template = read_text(path, _PROMPT_LIMIT, purpose="`prompt_file:`")
        return await ask_agent(params, render(template, ctx.values), ctx)
