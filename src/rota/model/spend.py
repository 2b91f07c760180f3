"""Spend: what agents took, response by response, and what those at work may yet take."""

from __future__ import annotations

from dataclasses import dataclass

from rota.model.agent import NO_TOKENS, Usage
from rota.model.instants import Micros


@dataclass(frozen=True)
class Spend:
    """A row of what was taken: one response of a model, or (`worked`) the time that a try was at work.

    `key` is unique within the step of the run. `usd` None: the model has no price. `client_usd`: the client's own
    figure. `turns`: of the conversation.
    """

    run_id: str
    step_id: str
    key: str
    job_id: str
    attempt: int
    at: Micros
    runner: str
    model: str
    usage: Usage = NO_TOKENS
    usd: float | None = 0.0
    client_usd: float | None = None
    turns: int = 0
    worked: Micros = 0


@dataclass(frozen=True)
class Used:
    """A sum of what was taken. `unpriced`: responses of models without a price, which count no dollars."""

    usd: float = 0.0
    tokens: int = 0
    turns: int = 0
    worked: Micros = 0
    unpriced: int = 0

    @property
    def nothing(self) -> bool:
        """Whether nothing was taken at all."""
        return self == Used()

    def __add__(self, other: Used) -> Used:
        return Used(
            self.usd + other.usd,
            self.tokens + other.tokens,
            self.turns + other.turns,
            self.worked + other.worked,
            self.unpriced + other.unpriced,
        )

    def beyond(self, other: Used) -> Used:
        """What of this is not in the other; never below zero."""
        return Used(
            max(0.0, self.usd - other.usd),
            max(0, self.tokens - other.tokens),
            max(0, self.turns - other.turns),
            max(0, self.worked - other.worked),
        )


UNUSED = Used()


@dataclass(frozen=True)
class OpenAccount:
    """A try of an agent step that is at work, and what is set aside for it.

    `token`: of the run, as its owner holds it: where the run has another, or is not running, nobody works on this.
    """

    run_id: str
    step_id: str
    attempt: int
    job_id: str
    token: int
    runner: str
    model: str
    opened_at: Micros
    reserved: Used = UNUSED


@dataclass(frozen=True)
class SpendSum:
    """What was taken under one name: of a job, a model, a runner or a day (an ISO date)."""

    name: str
    usage: Usage
    usd: float
    client_usd: float | None
    turns: int
    worked: Micros
    unpriced: int
