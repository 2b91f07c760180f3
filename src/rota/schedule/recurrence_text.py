"""Reading the text of a recurrence rule: `FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9`, with or without DTSTART."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from rota.model.errors import ScheduleError
from rota.schedule.recurrence import Freq, Rule
from rota.schedule.walls import instant_of
from rota.schedule.wording import closest, listing, quote
from rota.schedule.zones import to_wall

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# A Monday and the first of a leap year, so that a rule without a start means what the names mean:
# weekly is on Mondays, monthly on the first, yearly on 1 January, all of them at midnight.
DEFAULT_START: Final = datetime(1996, 1, 1)  # noqa: DTZ001  wall time of the schedule's zone
MOST_COUNTED: Final = 10_000

_LARGEST_INTERVAL: Final = 10_000_000
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NUMBER_LISTS: Final = {  # smallest, largest, whether it may count from the end
    "BYMONTH": (1, 12, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSECOND": (0, 59, False),
    "BYSETPOS": (1, 366, True),
}
_MOMENT: Final = re.compile(r"\d{4}-?\d\d-?\d\d(T\d\d:?\d\d(:?\d\d)?(Z|[+-]\d\d:?\d\d)?)?")
_PROPERTY: Final = re.compile(r"([A-Z-]+(?:;[A-Z-]+=[^:;]*)*):(.*)")
_KEYS: Final = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "DTSTART", *_NUMBER_LISTS)
_EXAMPLE: Final = "write it like `rrule:FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9;BYMINUTE=0`"


@dataclass(frozen=True)
class Recurrence:
    """A rule with its bounds: at most `count` times, and no instant (naive UTC) after `until`."""

    rule: Rule
    count: int | None
    until: datetime | None
    has_start: bool
    weekday_words: tuple[str, ...]


class _Reader:
    """The parts of one rule text, with errors that quote it."""

    def __init__(self, text: str, zone: ZoneInfo) -> None:
        self.quoted = quote(text)
        self.zone = zone
        self.parts: dict[str, str] = {}
        body = re.sub(r"(?i)^rrule:", "", text).strip().upper()
        for line in body.split():
            self._read_line(line)

    def fail(self, reason: str, hint: str = _EXAMPLE) -> ScheduleError:
        return ScheduleError(f"{self.quoted}: {reason}", hint=hint)

    def _read_line(self, line: str) -> None:
        if found := _PROPERTY.fullmatch(line):
            name, line = found.groups()
            if name.partition(";")[0] == "DTSTART":
                self._check_zone(name)
                line = f"DTSTART={line}"
            elif name != "RRULE":
                raise self.fail(f"{quote(name)} is not understood here", "only DTSTART and one RRULE are")
        for part in filter(None, line.split(";")):
            key, equals, value = part.partition("=")
            if not equals or not value:
                raise self.fail(f"{quote(part)} is not of the form KEY=VALUE")
            if key not in _KEYS:
                guess = closest(key, _KEYS)
                raise self.fail(f"no such key {quote(key)}", f"did you mean {guess}?" if guess else _EXAMPLE)
            if key in self.parts:
                raise self.fail(f"{key} is given twice")
            self.parts[key] = value

    def _check_zone(self, name: str) -> None:
        for parameter in name.split(";")[1:]:
            key, _, value = parameter.partition("=")
            if key == "TZID" and value != self.zone.key.upper():
                raise self.fail(
                    f"its TZID is not the job's time zone, {self.zone.key}", "set `timezone:` instead"
                )

    def number(self, key: str, largest: int) -> int | None:
        value = self.parts.get(key)
        if value is None:
            return None
        if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= largest:
            raise self.fail(f"bad {key} {quote(value)}", f"{key} is a number from 1 to {largest}")
        return int(value)

    def numbers(self, key: str) -> tuple[int, ...]:
        value = self.parts.get(key)
        if value is None:
            return ()
        low, high, signed = _NUMBER_LISTS[key]
        numbers = set()
        for item in value.split(","):
            sign = "[+-]?" if signed else ""
            if not re.fullmatch(rf"{sign}[0-9]{{1,3}}", item) or not low <= abs(int(item)) <= high:
                either = f", or -{high} to -{low} from the end" if signed else ""
                raise self.fail(
                    f"bad {key} {quote(value)}", f"{key} takes numbers from {low} to {high}{either}"
                )
            numbers.add(int(item))
        return tuple(sorted(numbers))

    def moment(self, key: str) -> tuple[datetime, bool] | None:
        """A date and time, and whether it had a time; aware when it ended with Z."""
        value = self.parts.get(key)
        if value is None:
            return None
        if _MOMENT.fullmatch(value):
            with suppress(ValueError):
                return datetime.fromisoformat(value), "T" in value
        raise self.fail(f"bad {key} {quote(value)}", f"write {key}=20261201T090000")


def read(text: str, zone: ZoneInfo, anchor: datetime | None) -> Recurrence:
    """The recurrence that `text` (with or without `rrule:`) writes; ScheduleError where it cannot be read.

    DTSTART comes from the text, else from `anchor` (naive UTC), else it is 1996-01-01T00:00 in the zone.
    UNTIL without Z is wall time of the zone, and a mere date includes its whole day.
    """
    reader = _Reader(text, zone)
    freq = reader.parts.get("FREQ")
    if freq is None or freq not in Freq.__members__:
        raise reader.fail(
            f"bad FREQ {quote(freq)}" if freq else "it has no FREQ", f"FREQ is one of {_frequencies()}"
        )
    start = _start(reader, anchor)
    count = reader.number("COUNT", MOST_COUNTED)
    until = _until(reader)
    if count is not None and until is not None:
        raise reader.fail("COUNT and UNTIL exclude one another", "keep one of them")
    rule = _rule(reader, Freq[freq], start or DEFAULT_START)
    days = tuple(reader.parts.get("BYDAY", "").split(",")) if "BYDAY" in reader.parts else ()
    return Recurrence(rule, count, until, start is not None, days)


def _frequencies() -> str:
    return listing([freq.name for freq in Freq])


def _start(reader: _Reader, anchor: datetime | None) -> datetime | None:
    """DTSTART as naive wall time, in whole seconds."""
    given = reader.moment("DTSTART")
    if given is None:
        return None if anchor is None else to_wall(reader.zone, anchor).replace(microsecond=0, fold=0)
    moment = given[0]
    if moment.tzinfo is not None:
        moment = to_wall(reader.zone, moment.astimezone(UTC).replace(tzinfo=None))
    return moment.replace(microsecond=0, fold=0)


def _until(reader: _Reader) -> datetime | None:
    given = reader.moment("UNTIL")
    if given is None:
        return None
    moment, has_time = given
    if moment.tzinfo is not None:
        return moment.astimezone(UTC).replace(tzinfo=None)
    if not has_time:
        moment += timedelta(days=1, seconds=-1)
    # Inside a skipped day there is no instant; the day's start in UTC is as good as any other then.
    return instant_of(reader.zone, moment) or moment


def _rule(reader: _Reader, freq: Freq, start: datetime) -> Rule:
    """The rule, with the parts that it leaves to DTSTART filled in (as dateutil does)."""
    months, month_days = reader.numbers("BYMONTH"), reader.numbers("BYMONTHDAY")
    year_days, weeks = reader.numbers("BYYEARDAY"), reader.numbers("BYWEEKNO")
    weekdays, nth = _weekdays(reader, freq)
    if not (month_days or year_days or weeks or weekdays or nth):
        if freq is Freq.YEARLY:
            months = months or (start.month,)
        if freq in {Freq.YEARLY, Freq.MONTHLY}:
            month_days = (start.day,)
        if freq is Freq.WEEKLY:
            weekdays = frozenset({start.weekday()})
    week_start = reader.parts.get("WKST", "MO")
    if week_start not in _WEEKDAYS:
        raise reader.fail(f"bad WKST {quote(week_start)}", f"WKST is one of {listing(_WEEKDAYS)}")
    return Rule(
        freq=freq,
        start=start,
        interval=reader.number("INTERVAL", _LARGEST_INTERVAL) or 1,
        week_start=_WEEKDAYS.index(week_start),
        months=frozenset(months),
        month_days=frozenset(month_days),
        year_days=frozenset(year_days),
        weeks=frozenset(weeks),
        weekdays=weekdays,
        nth=nth,
        hours=reader.numbers("BYHOUR") or ((start.hour,) if freq < Freq.HOURLY else ()),
        minutes=reader.numbers("BYMINUTE") or ((start.minute,) if freq < Freq.MINUTELY else ()),
        seconds=reader.numbers("BYSECOND") or ((start.second,) if freq < Freq.SECONDLY else ()),
        positions=reader.numbers("BYSETPOS"),
    )


def _weekdays(reader: _Reader, freq: Freq) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    value = reader.parts.get("BYDAY")
    plain, nth = set(), set()
    for item in value.split(",") if value else ():
        found = re.fullmatch(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", item)
        number = int(found[1]) if found and found[1] else None
        if found is None or number == 0 or abs(number or 0) > 53:
            raise reader.fail(
                f"bad BYDAY {quote(value or '')}", "BYDAY takes days such as MO, FR or -1FR (the last)"
            )
        weekday = _WEEKDAYS.index(found[2])
        if number is None:
            plain.add(weekday)
        elif freq > Freq.MONTHLY:
            raise reader.fail(
                f"BYDAY {quote(item)} counts days of a month", "use it with FREQ=MONTHLY or YEARLY"
            )
        else:
            nth.add((weekday, number))
    return frozenset(plain), frozenset(nth)
