"""What every schedule is: a text, a zone, and the next instant after a given one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Literal

from rota.model.errors import ScheduleError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Kind = Literal["cron", "every", "at", "rrule", "manual", "reboot"]


class Schedule(ABC):
    """A time rule: a fixed set of instants, of which `next` finds the first after a given one.

    `text` is what was parsed, `tz` the zone's name, `warnings` what people misread about this text.
    Instances are immutable and hold no clock, so they can be shared and asked in any order.
    """

    kind: ClassVar[Kind]

    def __init__(self, text: str, zone: ZoneInfo, warnings: tuple[str, ...] = ()) -> None:
        self.text = text
        self.zone = zone
        self.warnings = warnings

    @property
    def tz(self) -> str:
        """The name of the zone in which the schedule is read and in which it answers."""
        return self.zone.key

    def next(self, after: datetime) -> datetime | None:
        """The first instant strictly later than `after`, in the schedule's zone; None when there is none.

        For every t in [after, next(after)) the answer is the same. `after` must be aware: a naive one
        raises ScheduleError. Turn results into UTC before comparing them: Python compares two datetimes
        of one zone by wall time, and calls one in a repeated hour unequal to every one of another zone.
        """
        if after.utcoffset() is None:
            raise ScheduleError(
                f"cannot look for a time after {after.isoformat()}: it has no time zone",
                hint="pass an aware datetime, such as datetime.now(UTC)",
            )
        try:
            found = self._next(after.astimezone(UTC).replace(tzinfo=None))
            return None if found is None else found.replace(tzinfo=UTC).astimezone(self.zone)
        except OverflowError:  # the calendar of datetime ends with the year 9999
            return None

    def count(self, after: datetime, until: datetime) -> int:
        """How many instants lie in (after, until]; both aware. Cron and `every` count without listing them."""
        try:
            return self._count(
                after.astimezone(UTC).replace(tzinfo=None), until.astimezone(UTC).replace(tzinfo=None)
            )
        except OverflowError:  # the calendar of datetime ends with the year 9999
            return 0

    def _count(self, after: datetime, until: datetime) -> int:
        """`count` on naive UTC datetimes; here by walking."""
        found, moment = 0, self._next(after)
        while moment is not None and moment <= until:
            found, moment = found + 1, self._next(moment)
        return found

    @abstractmethod
    def _next(self, after: datetime) -> datetime | None:
        """`next` on naive UTC datetimes, whose arithmetic is that of real elapsed time."""

    def describe(self) -> str:
        """The schedule in plain words; the text itself where there are none."""
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r}, tz={self.tz!r})"
