"""What agents do to the workspace, or want done: each a record that says who, why, and what a person said to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rota.model.agent import Actor
from rota.model.instants import Micros


class Rule(StrEnum):
    """What becomes of something that an agent wants to do: done, put before a person, or refused."""

    ALLOW = "allow"
    PROPOSE = "propose"
    DENY = "deny"


class Deed(StrEnum):
    """What an agent can want. The last two change no job: a question to a person, and a message."""

    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"
    PAUSE = "pause"
    RESUME = "resume"
    RUN = "run"
    QUESTION = "question"
    NOTIFY = "notify"


class ProposalState(StrEnum):
    """Where it is. APPLYING: decided, and being done; whoever finds it so afterwards finishes it."""

    OPEN = "open"
    APPLYING = "applying"
    APPLIED = "applied"
    DENIED = "denied"
    EXPIRED = "expired"
    FAILED = "failed"


# Who decided where no person had to.
POLICY = "policy"
_ID = re.compile(r"[Pp]-?([0-9]{1,15})")


@dataclass(frozen=True)
class Proposal:
    """One deed of an agent, done or not. `number` 0: not stored yet.

    `title`: what it is, in a line; `why`: the agent's own words. `before`, `after`: the whole text of the job's file
    (None: there is none); `hash`: of the definition that `after` makes of the job. `detail`: parameters of a run, next
    fires, choices of a question (JSON-able). `decided_by`: a person, or POLICY. `answer`: the person's reason or choice;
    `result`: what came of it, or why nothing did.
    """

    deed: Deed
    actor: Actor
    title: str
    asked_at: Micros
    number: int = 0
    state: ProposalState = ProposalState.OPEN
    job_id: str | None = None
    why: str = ""
    path: str | None = None
    before: str | None = None
    after: str | None = None
    hash: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    expires_at: Micros | None = None
    decided_at: Micros | None = None
    decided_by: str | None = None
    answer: str | None = None
    result: str = ""

    @property
    def id(self) -> str:
        """As people and agents write it: P-12."""
        return f"P-{self.number}"


def proposal_number(text: str) -> int | None:
    """The number in `P-12`; None when it is no such id."""
    found = _ID.fullmatch(text.strip())
    return None if found is None else int(found[1])


@dataclass(frozen=True)
class AgentToken:
    """A key to the MCP door. `digest`: SHA-256 of it in hex; the key itself is kept nowhere.

    `scopes`: patterns of tool names, or `look`: those that change nothing.
    """

    name: str
    digest: str
    agent: str
    scopes: tuple[str, ...]
    created_at: Micros
    expires_at: Micros | None = None
    used_at: Micros | None = None
