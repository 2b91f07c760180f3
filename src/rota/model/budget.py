"""Budgets: the most that agents may take, of what and within which span of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rota.model.agent import Caps
from rota.model.instants import Micros

# The code of the reason why something ended, or was not begun, for want of money.
BUDGET = "budget"
NO_CAPS = Caps()


class Span(StrEnum):
    """What a cap is counted over: one run, or a day, a week (from Monday) or a month of the calendar."""

    RUN = "run"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class OnOver(StrEnum):
    """What becomes of the job whose run came to a cap: nothing more, or it is paused until a person resumes it."""

    FAIL = "fail"
    PAUSE = "pause"


class Scope(StrEnum):
    """Whose budget it is."""

    STEP = "step"
    JOB = "job"
    WORKSPACE = "workspace"


@dataclass(frozen=True)
class Budget:
    """Caps by span, of a job (over its runs) or of the workspace (over all runs)."""

    run: Caps = NO_CAPS
    day: Caps = NO_CAPS
    week: Caps = NO_CAPS
    month: Caps = NO_CAPS
    on_over: OnOver = OnOver.FAIL

    def caps(self) -> Iterator[tuple[Span, Caps]]:
        """The spans that have any, the shortest first."""
        for span, caps in zip(Span, (self.run, self.day, self.week, self.month), strict=True):
            if not caps.empty:
                yield span, caps

    @property
    def empty(self) -> bool:
        """Whether it caps nothing."""
        return next(self.caps(), None) is None


NO_BUDGET = Budget()


@dataclass(frozen=True)
class Bound:
    """A budget that holds for one step now. `start`, `end`: of a span of the calendar; `timezone`: whose calendar."""

    scope: Scope
    span: Span
    caps: Caps
    on_over: OnOver = OnOver.FAIL
    timezone: str = "UTC"
    start: Micros = 0
    end: Micros | None = None
