"""The keys of every step that an agent works on."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rota.spec.agent_keys import (
    BudgetKeys,
    ContextKeys,
    PermissionKeys,
    ServerKeys,
    SessionKeys,
    checked_session,
    has_template,
)

# What they render themselves, or take as it is written: no value may choose a file or widen what is allowed.
RAW = frozenset({"input", "system", "context", "schema", "mcp", "permissions"})


class AgentKeys(BaseModel):
    """What `agent` and `skill` steps have in common."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    runner: str = Field(
        default="auto",
        description="What executes it: `auto` (the workspace's choice, else the first that is set up), or one "
        "runner by name; that one is never replaced by another.",
    )
    model: str | None = Field(default=None, description="The model, as the runner names it.")
    input: dict[str, Any] = Field(
        default={},
        description="Named inputs. The path of a text file in the workspace puts in the file's text (up to "
        "100 KB); anything else goes in as it is. `{{ values }}` may complete a path below a folder that is "
        "spelled out (`notes/{{ today }}.md`), but a value alone is never taken for a path.",
    )
    system: str | Literal[False] | None = Field(
        default=None,
        description="The system prompt: a text, or the path of a file in the workspace; false: none. Unless said, "
        "what rota.yaml names, else .rota/persona.md.",
    )
    session: str | SessionKeys = Field(
        default="fresh",
        description="The conversation: `fresh`, a new one each time; `job`, one that the job keeps; {name: NAME}.",
    )
    tools: str | list[str] | None = Field(
        default=None, description="The tools that it may have, by name; the runner's usual ones unless said."
    )
    mcp: str | list[str] | dict[str, ServerKeys] = Field(
        default=[], description="MCP servers: names of those in rota.yaml, or a mapping of names to servers."
    )
    context: str | ContextKeys | None = Field(
        default=None,
        description="What it is given to read: a question to the index, or {query, in, since, budget, files, runs}.",
    )
    schema_: str | dict[str, Any] | None = Field(
        default=None,
        alias="schema",
        description="A JSON Schema that the answer has to meet, or the path of its file.",
    )
    budget: BudgetKeys | None = Field(default=None, description="The most that an attempt may take.")
    permissions: PermissionKeys | None = Field(
        default=None, description="What it may do, and nothing else; rota.yaml's unless said."
    )

    @field_validator("session")
    @classmethod
    def _known(cls, said: str | SessionKeys) -> str | SessionKeys:
        return checked_session(said)

    @field_validator("mcp")
    @classmethod
    def _as_written(
        cls, said: str | list[str] | dict[str, ServerKeys]
    ) -> str | list[str] | dict[str, ServerKeys]:
        servers = said if isinstance(said, dict) else {}
        if any(has_template(server.model_dump()) for server in servers.values()):
            raise ValueError("`mcp` takes no templates; write `${NAME}` for a secret")
        return said
