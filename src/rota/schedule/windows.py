"""When a job may start: `window:` (only then) and `not_during:` (not then), in the job's zone.

A span is a time of day (`22:00-06:00`, which may cross midnight), days (`Mon-Fri`, `Sat,Sun`), dates
(`2026-12-24..2026-12-26`), or several of these together, which must then all hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from rota.model.errors import ScheduleError
from rota.model.instants import Micros, to_micros
from rota.schedule.clocks import local_time

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# How far ahead an opening is looked for: spans that name a weekday or a time of day recur within it.
_HORIZON_DAYS = 400
_TIME = re.compile(r"^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$")
_DATES = re.compile(r"^(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?$")
_HINT = "write 09:00-17:00, `Mon-Fri 09:00-17:00`, Sat,Sun, or 2026-12-24..2026-12-26"


@dataclass(frozen=True)
class Span:
    """Times that a window covers. `days` (0 Monday) and `dates` speak of the day on which the span begins."""

    text: str
    start: time = time(0)
    end: time = time(0)
    days: frozenset[int] = frozenset(range(7))
    first: date = date.min
    last: date = date.max

    def covers(self, moment: datetime) -> bool:
        """Whether a local moment is in the span."""
        clock = moment.time()
        if self.start < self.end:
            return self.start <= clock < self.end and self._on(moment.date())
        # All day, or over midnight: what is before `end` belongs to the day before.
        if clock >= self.start and self._on(moment.date()):
            return True
        return clock < self.end and self._on(moment.date() - timedelta(days=1))

    def _on(self, day: date) -> bool:
        return day.weekday() in self.days and self.first <= day <= self.last

    def edges(self) -> tuple[time, time]:
        """The times of day at which the answer may change."""
        return self.start, self.end


@dataclass(frozen=True)
class Gate:
    """When a run may start. `window` empty: always, but for `not_during`."""

    window: tuple[Span, ...] = ()
    not_during: tuple[Span, ...] = ()

    def closed_by(self, instant: Micros, timezone: str) -> str | None:
        """What keeps a run from starting then, in words; None: nothing does."""
        moment = local_time(instant, timezone)
        inside = next((span for span in self.not_during if span.covers(moment)), None)
        if inside is not None:
            return f"not_during {inside.text}"
        if self.window and not any(span.covers(moment) for span in self.window):
            return f"outside the window {', '.join(span.text for span in self.window)}"
        return None

    def opens_at(self, instant: Micros, timezone: str) -> Micros | None:
        """The first moment from `instant` on at which a run may start; None: none within 400 days."""
        if self.closed_by(instant, timezone) is None:
            return instant
        start = local_time(instant, timezone)
        edges = sorted(
            {edge for span in (*self.window, *self.not_during) for edge in (*span.edges(), time(0))}
        )
        for ahead in range(_HORIZON_DAYS):
            day = start.date() + timedelta(days=ahead)
            for edge in edges:
                opening = to_micros(datetime.combine(day, edge, start.tzinfo))
                if opening > instant and self.closed_by(opening, timezone) is None:
                    return opening
        return None


def read_spans(texts: Sequence[str]) -> tuple[Span, ...]:
    """Spans from their texts. Raises ScheduleError."""
    return tuple(read_span(text) for text in texts)


def read_span(text: str) -> Span:
    """One span from its text. Raises ScheduleError with a hint."""
    found: dict[str, object] = {}
    for word in text.split():
        part = _time(word) or _dates(word) or _days(word)
        if part is None or part.keys() & found.keys():
            raise ScheduleError(f"`{text}` is no span of time: `{word}`", hint=_HINT)
        found |= part
    if not found:
        raise ScheduleError("an empty span of time", hint=_HINT)
    return Span(text, **found)  # type: ignore[arg-type] # the keys are those of Span


def _time(word: str) -> dict[str, object] | None:
    match = _TIME.match(word)
    if match is None:
        return None
    first, second, third, fourth = (int(group) for group in match.groups())
    try:
        end = time(0) if (third, fourth) == (24, 0) else time(third, fourth)
        return {"start": time(first, second), "end": end}
    except ValueError:
        raise ScheduleError(f"`{word}` is no time of day", hint=_HINT) from None


def _dates(word: str) -> dict[str, object] | None:
    match = _DATES.match(word)
    if match is None:
        return None
    try:
        first = date.fromisoformat(match[1])
        last = date.fromisoformat(match[2] or match[1])
    except ValueError:
        raise ScheduleError(f"`{word}` is no date", hint=_HINT) from None
    if last < first:
        raise ScheduleError(f"`{word}` ends before it begins", hint=_HINT)
    return {"first": first, "last": last}


def _days(word: str) -> dict[str, object] | None:
    chosen: set[int] = set()
    for piece in word.lower().split(","):
        names = [name[:3] for name in piece.split("-")]
        if len(names) > 2 or any(name not in DAYS for name in names):
            return None
        first, last = DAYS.index(names[0]), DAYS.index(names[-1])
        chosen |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return {"days": frozenset(chosen)}
