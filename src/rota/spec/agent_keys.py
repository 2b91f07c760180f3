"""What jobs and rota.yaml say about agents alike: permissions, budgets, MCP servers, context, conversations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rota.model.agent import Caps, OnDenied, Permissions

FRESH, JOB, NAMED = "fresh", "job", "name:"
CONTEXT_BUDGET, LEAST_CONTEXT, MOST_CONTEXT = 8_000, 100, 1_000_000
MOST_RUNS = 50

_Filled = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
_Texts = _Filled | list[_Filled]
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
_HOST = re.compile(r"(\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)(:\d+)?")
_TEMPLATE = re.compile(r"\{\{|\{%")


class PermissionKeys(BaseModel):
    """What an agent may do; nothing else. Taken as it is written: no value from outside can widen it."""

    model_config = ConfigDict(extra="forbid")

    run: _Texts = Field(default=[], description="Commands, as patterns over the whole line: git *.")
    write: _Texts = Field(default=[], description="Files that it may write, as patterns: now/**.")
    net: _Texts = Field(default=[], description="Hosts: api.example.com, *.example.com, *.")
    rota: _Texts | None = Field(
        default=None, description="rota's own tools beyond those that only look: card_create, *."
    )
    on_denied: OnDenied = Field(
        default=OnDenied.DENY,
        description="What becomes of anything else: deny, or ask a person, for whom the run waits.",
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        for text in (*listed(self.run), *listed(self.write), *listed(self.net), *listed(self.rota or [])):
            if _TEMPLATE.search(text):
                raise ValueError("permissions take no templates: they are as they are written")
        for pattern in listed(self.write):
            if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
                raise ValueError(f"`write`: {pattern} leads out of the workspace; paths are relative to it")
        for host in listed(self.net):
            if not _HOST.fullmatch(host):
                raise ValueError(f"`net`: {host} is no host; write api.example.com, *.example.com or *")
        return self

    def permissions(self) -> Permissions:
        """The same for the model."""
        rota = None if self.rota is None else listed(self.rota)
        return Permissions(listed(self.run), listed(self.write), listed(self.net), rota, self.on_denied)


class BudgetKeys(BaseModel):
    """The most that a step may take."""

    model_config = ConfigDict(extra="forbid")

    usd: float | None = Field(default=None, gt=0, description="Dollars.")
    tokens: int | None = Field(default=None, ge=1, description="Tokens, of all kinds together.")
    turns: int | None = Field(default=None, ge=1, description="Turns of the conversation.")
    minutes: float | None = Field(default=None, gt=0, description="Minutes of an attempt.")

    def caps(self) -> Caps:
        """The same for the model."""
        return Caps(self.usd, self.tokens, self.turns, self.minutes)


class ServerKeys(BaseModel):
    """An MCP server: a program that is started, or an address."""

    model_config = ConfigDict(extra="forbid")

    command: _Filled | None = Field(
        default=None, description="A program that speaks MCP by stdin and stdout."
    )
    args: list[str] = Field(default=[], description="Its arguments.")
    env: dict[str, str | int | float] = Field(default={}, description="Its environment.")
    url: _Filled | None = Field(default=None, description="Or the address of a server.")
    headers: dict[str, str] = Field(default={}, description="What every request to it has.")
    optional: bool = Field(
        default=False,
        description="Go on without it where it does not answer, rather than fail.",
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("an MCP server has either a `command` or a `url`")
        if self.url is not None and (self.args or self.env):
            raise ValueError("`args` and `env` belong to a `command`, not to a `url`")
        if self.command is not None and self.headers:
            raise ValueError("`headers` belong to a `url`, not to a `command`")
        return self

    def server(self) -> dict[str, Any]:
        """As runners are given it."""
        more = {"optional": True} if self.optional else {}
        if self.url is not None:
            return {"url": self.url, "headers": dict(self.headers), **more}
        env = {name: str(value) for name, value in self.env.items()}
        return {"command": self.command, "args": list(self.args), "env": env, **more}


class PastKeys(BaseModel):
    """Which results are meant."""

    model_config = ConfigDict(extra="forbid")

    job: _Filled | None = Field(default=None, description="Of which job; of this one unless said.")
    last: int = Field(default=1, ge=1, le=MOST_RUNS, description="Of how many of its last runs.")


class ContextKeys(BaseModel):
    """What an agent is given to read with its prompt."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    query: _Filled | None = Field(
        default=None, description="What passages of the workspace are about, in words. A template."
    )
    in_: _Texts = Field(default=[], alias="in", description="Files or folders that they are taken from.")
    since: str | int | None = Field(
        default=None, description="Only what is not older: 7d, 2026-11-01, today."
    )
    budget: int = Field(
        default=CONTEXT_BUDGET,
        ge=LEAST_CONTEXT,
        le=MOST_CONTEXT,
        description="The most tokens that the passages may have.",
    )
    files: _Texts = Field(default=[], description="Text files of the workspace, whole.")
    runs: int | PastKeys | None = Field(
        default=None, description="What earlier runs put out: how many of this job, or of which job."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.query is None and not self.files and self.runs is None:
            raise ValueError("`context` has a `query`, `files` or `runs`")
        if self.query is None and (self.in_ or self.since is not None):
            raise ValueError("`in` and `since` narrow a `query`, which is missing")
        if isinstance(self.runs, int) and not 1 <= self.runs <= MOST_RUNS:
            raise ValueError(f"`runs` is a number from 1 to {MOST_RUNS}")
        return self

    @property
    def past(self) -> PastKeys | None:
        """Which results are meant, if any are."""
        return PastKeys(last=self.runs) if isinstance(self.runs, int) else self.runs


class SessionKeys(BaseModel):
    """A conversation that has a name, so that several steps and jobs can share it."""

    model_config = ConfigDict(extra="forbid")

    name: _Name = Field(description="Its name.")


def session_key(said: str | SessionKeys, job_id: str, step_id: str) -> str | None:
    """The key of the conversation that is kept when the step is done; None where each try has its own."""
    if isinstance(said, SessionKeys):
        return f"{NAMED}{said.name}"
    if said.startswith(NAMED):
        return f"{NAMED}{said.removeprefix(NAMED).strip()}"
    return f"{JOB}:{job_id}:{step_id}" if said == JOB else None


def checked_session(said: str | SessionKeys) -> str | SessionKeys:
    """The value of `session:`. Raises ValueError."""
    if isinstance(said, SessionKeys) or said in {FRESH, JOB}:
        return said
    if said.startswith(NAMED):
        SessionKeys(name=said.removeprefix(NAMED).strip())
        return said
    raise ValueError("`session` is fresh, job or {name: NAME}")


def listed(texts: str | list[str]) -> tuple[str, ...]:
    """One text, or a list of them."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def has_template(value: Any) -> bool:
    """Whether a template stands anywhere in a value."""
    if isinstance(value, str):
        return _TEMPLATE.search(value) is not None
    if isinstance(value, Mapping):
        return any(has_template(item) for item in value.values())
    return isinstance(value, list | tuple) and any(has_template(item) for item in value)
