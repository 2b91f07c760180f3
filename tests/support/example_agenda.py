"""What the calendar of examples/personal-os has on a day, from a table: nothing here reads an ICS file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
HOLIDAYS = {
    *(date(y, m, d) for y, m, d in [(2024, 12, 25), (2024, 12, 26), (2025, 1, 1), (2025, 12, 25), (2025, 12, 26)]),
    *(date(y, m, d) for y, m, d in [(2026, 1, 1), (2026, 12, 25), (2026, 12, 28), (2027, 1, 1)]),
}  # fmt: skip
STAND_UP_MOVED = date(2026, 11, 24)
STAND_UP_CANCELLED = date(2026, 11, 26)

On = Callable[[date], bool]


@dataclass(frozen=True)
class Timed:
    """`clock`, `minutes`: in `zone`, whose name is shown when it is another one; `after`: the end of the line."""

    title: str
    on: On
    clock: str
    minutes: int
    place: str = ""
    zone: str = "Europe/London"
    after: str = ""

    def line(self, day: date) -> tuple[datetime, str]:
        """When it begins here, and its line in the agenda."""
        own = datetime.combine(day, time.fromisoformat(self.clock), ZoneInfo(self.zone))
        start = own.astimezone(LONDON)
        end = start + timedelta(minutes=self.minutes)  # none of these is near a change of the clocks
        when = f"{start:%H:%M}–{end:%H:%M}" if self.minutes else f"{start:%H:%M}"
        where = f" ({self.place})" if self.place else ""
        city = self.zone.partition("/")[2].replace("_", " ")
        foreign = f" · {own:%H:%M} {city}" if self.zone != "Europe/London" else ""
        return start, f"- {when} {self.title}{where}{foreign}{self.after}"


@dataclass(frozen=True)
class Whole:
    """`first`: its first day, as seen from a day that has it; `days`: how many it has."""

    title: str
    first: Callable[[date], date | None]
    days: int = 1

    def line(self, day: date) -> tuple[date, str] | None:
        """Its first day, and its line in the agenda of `day`; None when that day has not got it."""
        first = self.first(day)
        if first is None or not first <= day < first + timedelta(self.days):
            return None
        last = first + timedelta(self.days - 1)
        return first, f"- All day: {self.title}" + (
            f" · until {last:%a} {last.day} {last:%b}" if last > day else ""
        )


def weekly(*weekdays: int) -> On:
    return lambda day: day.weekday() in weekdays


def fortnightly(first: date) -> On:
    return lambda day: (day - first).days % 14 == 0


def nth(n: int, weekday: int) -> On:
    return lambda day: day.weekday() == weekday and (day.day - 1) // 7 == n - 1


def only(*days: date) -> On:
    return lambda day: day in days


def yearly(month: int, first: int) -> Callable[[date], date | None]:
    return lambda day: date(day.year, month, first)


def once(first: date) -> Callable[[date], date | None]:
    return lambda _: first


def _stand_up(day: date) -> bool:
    return day.weekday() <= FRI and day not in HOLIDAYS | {STAND_UP_MOVED, STAND_UP_CANCELLED}


TIMED = (
    Timed("School run (Ines, Theo)", weekly(MON, WED, FRI), "08:20", 30),
    Timed("Stand-up", _stand_up, "09:30", 15, "Microsoft Teams Meeting"),
    Timed("Stand-up", only(STAND_UP_MOVED), "10:30", 15, "Microsoft Teams Meeting", after=" · moved from 09:30"),
    Timed("Focus: no meetings", weekly(MON, THU), "10:00", 120),
    Timed("Halden & Co: weekly call", weekly(TUE), "10:00", 45, "Zoom", "America/New_York"),
    Timed("Bins out", weekly(TUE), "20:00", 0),
    Timed("1:1 with Priya", fortnightly(date(2024, 9, 4)), "14:00", 30, "The small room"),
    Timed("Aoi Works: monthly review", nth(2, THU), "17:00", 45, "Google Meet", "Asia/Tokyo"),
    Timed("Choir", weekly(THU), "19:30", 90, "St Luke's Hall"),
    Timed("Week in review", weekly(FRI), "16:00", 30),
    Timed("Theo: swimming", weekly(SAT), "09:00", 45, "Marsh Lane Pool"),
    Timed("Run with Nadia", weekly(SUN), "08:00", 60, "The boathouse"),
    Timed("Lunch at Mum's", fortnightly(date(2024, 9, 8)), "12:30", 150),
    Timed("Dentist, Theo", only(date(2026, 11, 23)), "16:15", 30, "12 Orchard Parade, London"),
    Timed(
        "Halden & Co: consent screen, both variants", only(date(2026, 11, 23)), "11:30", 60, "Zoom",
        "America/New_York", " · tentative",
    ),
    Timed("Parents' evening, Ines", only(date(2026, 11, 25)), "17:00", 20, "Fenwick Road Primary"),
    Timed("Sleeper to Fort William", only(date(2026, 12, 28)), "21:15", 12 * 60 + 40, "Euston"),
)  # fmt: skip

WHOLE = (
    Whole("Rent and bills", lambda day: day.replace(day=1)),
    Whole("Mum's birthday", yearly(3, 8)),
    Whole("Ines's birthday", yearly(3, 14)),
    Whole("Theo's birthday", yearly(11, 28)),
    Whole("Christmas", yearly(12, 25), 2),
    Whole("New Year's Day", yearly(1, 1)),
    Whole("Design guild day", lambda day: day if nth(1, FRI)(day) else None),
    Whole("Mum stays with us", once(date(2026, 11, 21)), 4),
    Whole("Offsite in Margate", once(date(2026, 12, 3)), 2),
    Whole("Half-term", once(date(2027, 2, 15)), 5),
)


def expected_agenda(day: date, freshened: date | None = None) -> list[str]:
    """The lines of the agenda of a day of 2025–2035, in order.

    `freshened`: the day that the workspace was made to look lived in (scripts/demo_workspace.py), if it was.
    """
    timed: tuple[Timed, ...] = TIMED
    whole: tuple[Whole, ...] = WHOLE
    if freshened is not None:
        timed, whole = (*timed, *_this_week(freshened)), (*whole, _jon(freshened))
    all_day = sorted((line[0], w.title, line[1]) for w in whole if (line := w.line(day)))
    by_time = sorted((t.line(day)[0], t.title, t.line(day)[1]) for t in timed if t.on(day))
    # What began the evening before comes first: it is sorted by its start.
    overnight = ["- until 09:55 Sleeper to Fort William (Euston)"] if day == date(2026, 12, 29) else []
    return [line for _, _, line in all_day] + overnight + [line for _, _, line in by_time]


def _this_week(today: date) -> tuple[Timed, ...]:
    week = [today + timedelta(n) for n in range(-3, 4)]
    dog = only(*(day for day in week if day not in (today, today + timedelta(1))))
    return (
        Timed("Walk the neighbours' dog", dog, "12:30", 30),
        Timed("Walk the neighbours' dog", only(today), "13:15", 30, after=" · moved from 12:30"),
        Timed("Ines: piano practice", only(*(day for day in week if day != today)), "18:00", 30),
        Timed("Call with Aunt Lucy", only(today), "13:30", 30, "Google Meet", "America/New_York"),
    )


def _jon(today: date) -> Whole:
    return Whole("Jon in Bristol", once(today - timedelta(1)), 3)
