"""What an agent step asks for, may do, uses and comes to, whichever runner works on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rota.model.instants import Micros


class Outcome(StrEnum):
    """How an agent's work ended. Each but the first fails the try, with a reason whose code is the value."""

    DONE = "done"
    REFUSED = "refused"  # the model declined, or its provider's filter did
    BUDGET = "budget"  # a cap was reached
    TIMEOUT = "timeout"
    PROVIDER = "provider_error"  # the model's API failed: overload, rate limit, a broken stream, a bad key
    INTERRUPTED = "agent_interrupted"  # the client was ended from outside in the midst of it
    FAILED = "agent_failed"  # the client itself failed, or gave what nobody asked for


@dataclass(frozen=True)
class Usage:
    """Tokens by kind. `input`: those that were read from no cache and written to none."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.input + self.output + self.cache_read + self.cache_write

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )

    def since(self, before: Usage) -> Usage:
        """What came on top of a cumulative figure; never below zero."""
        return Usage(
            max(0, self.input - before.input),
            max(0, self.output - before.output),
            max(0, self.cache_read - before.cache_read),
            max(0, self.cache_write - before.cache_write),
        )


NO_TOKENS = Usage()


@dataclass(frozen=True)
class Response:
    """One response of a model, which has to be paid for.

    `key` is unique within the step of the run, whichever try tells it: the same response told twice counts once, also
    after a crash. (A client that counts from one in each session has the session in its keys.) `client_usd`: what it
    says that it cost, where it says so. `turns`: how many turns of the conversation this is the figure of.
    """

    key: str
    model: str
    usage: Usage
    client_usd: float | None = None
    turns: int = 1


@dataclass(frozen=True)
class Caps:
    """The most that something may take. None: no cap. `minutes`: of wall-clock time at work."""

    usd: float | None = None
    tokens: int | None = None
    turns: int | None = None
    minutes: float | None = None

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return self == Caps()


class OnDenied(StrEnum):
    """What becomes of something that the agent wants to do and may not."""

    DENY = "deny"
    ASK = "ask"


@dataclass(frozen=True)
class Permissions:
    """What an agent may do; nothing else. It may always read the workspace, but for `.rota/`'s secrets and state.

    `run`: commands, as patterns over the whole command line (`git *`). `write`: patterns of paths relative to the
    workspace (`now/**`). `net`: hosts (`api.example.com`, `*.example.com`, `*`). `rota`: names of rota's own tools
    beyond those that only look (`card_create`, `job_propose`, `*`); None: those that the workspace lets agents use.
    """

    run: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    net: tuple[str, ...] = ()
    rota: tuple[str, ...] | None = None
    on_denied: OnDenied = OnDenied.DENY


NOTHING = Permissions()


@dataclass(frozen=True)
class Denial:
    """Something that an agent wanted and was not allowed. `tool`: run, write, net, or the tool's name."""

    tool: str
    what: str


@dataclass(frozen=True)
class AgentSession:
    """A conversation that can go on. `key`: `run:RUN:STEP`, `job:JOB:STEP` or `name:NAME`.

    `id`: what the runner knows it by; empty while that is not known yet. `totals`: the client's cumulative figures at
    its last word, so that the next ones can be turned into what came on top. `grants`: what a person allowed on top of
    the step's permissions; `refused`: what a person did not; `asked`: what a person is asked about. `said`: what the
    agent is to be told when it goes on. `open`: a try is (or was, when it was killed) under way.
    """

    key: str
    runner: str
    id: str
    model: str | None = None
    totals: Mapping[str, Any] = field(default_factory=dict)
    grants: tuple[Denial, ...] = ()
    refused: tuple[Denial, ...] = ()
    asked: tuple[Denial, ...] = ()
    said: str = ""
    open: bool = True
    updated_at: Micros = 0

    @property
    def goes_on(self) -> bool:
        """Whether a try was cut off in the midst of it, and another can go on with it."""
        return self.open and bool(self.id)


def run_key(run_id: str, step_id: str) -> str:
    """The key of the conversation that a step of a run is at work on."""
    return f"run:{run_id}:{step_id}"


@dataclass(frozen=True)
class Actor:
    """Who does something in the workspace that is not a person at the command line.

    `name`: the agent, as it calls itself or as its runner is called. `run`, `job`, `step`: where rota started it.
    `session`: the conversation, if it is known.
    """

    name: str
    run: str | None = None
    job: str | None = None
    step: str | None = None
    session: str | None = None
