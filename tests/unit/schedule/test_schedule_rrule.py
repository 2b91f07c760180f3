"""Calendar rules: RFC 5545's examples, dateutil as the oracle, and the rules of fixed-time jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.support.effort import AT_ONCE, calls_of

from rota.model.errors import ScheduleError
from rota.schedule import parse

LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)


def runs(
    text: str, count: int, zone: str = "UTC", after: datetime = LONG_AGO, anchor: datetime | None = None
) -> list[str]:
    """The first `count` runs after an instant, as `2026-01-31 09:00`; fewer when the rule ends."""
    schedule, found = parse(text, zone, anchor), []
    for _ in range(count):
        following = schedule.next(after)
        if following is None:
            break
        found.append(f"{following:%Y-%m-%d %H:%M}")
        after = following.astimezone(UTC)
    return found


NEW_YORK = "DTSTART=19970902T090000;"  # the start of most examples of RFC 5545, 3.8.5.3


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;INTERVAL=10", ["1997-09-02", "1997-09-12", "1997-09-22"]),
        ("FREQ=YEARLY;BYMONTH=1;BYDAY=SU,MO", ["1998-01-04", "1998-01-05", "1998-01-11"]),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,TH", ["1997-09-02", "1997-09-04", "1997-09-16"]),
        ("FREQ=MONTHLY;BYDAY=1FR", ["1997-09-05", "1997-10-03", "1997-11-07"]),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=1SU,-1SU", ["1997-09-07", "1997-09-28", "1997-11-02"]),
        ("FREQ=MONTHLY;BYDAY=-2MO", ["1997-09-22", "1997-10-20", "1997-11-17"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", ["1997-09-28", "1997-10-29", "1997-11-28"]),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", ["1998-02-13", "1998-03-13", "1998-11-13"]),
        ("FREQ=YEARLY;INTERVAL=3;BYYEARDAY=1,100,200", ["2000-01-01", "2000-04-09", "2000-07-18"]),
        ("FREQ=YEARLY;BYDAY=20MO", ["1998-05-18", "1999-05-17", "2000-05-15"]),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", ["1998-05-11", "1999-05-17", "2000-05-15"]),
        (
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            ["1997-11-04", "2001-11-06", "2005-11-08"],
        ),
        ("FREQ=MONTHLY;BYDAY=TU,WE,TH;BYSETPOS=3", ["1997-09-04", "1997-10-07", "1997-11-06"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", ["1997-09-29", "1997-10-30", "1997-11-27"]),
    ],
)
def test_the_examples_of_the_rfc(rule: str, expected: list[str]) -> None:
    assert runs(f"rrule:{NEW_YORK}{rule}", 3, "America/New_York") == [f"{day} 09:00" for day in expected]


def test_shorter_than_a_day() -> None:
    start = "rrule:DTSTART=20260105T090000;"
    assert runs(start + "FREQ=HOURLY;INTERVAL=5", 3) == [
        "2026-01-05 09:00",
        "2026-01-05 14:00",
        "2026-01-05 19:00",
    ]
    assert runs(start + "FREQ=MINUTELY;INTERVAL=90", 2) == ["2026-01-05 09:00", "2026-01-05 10:30"]
    assert runs(start + "FREQ=HOURLY;BYHOUR=9,10;BYMINUTE=0,30;BYDAY=MO;BYSETPOS=-1", 3) == [
        "2026-01-05 09:30",
        "2026-01-05 10:30",
        "2026-01-12 09:30",
    ]
    assert runs(start + "FREQ=SECONDLY;INTERVAL=45;BYMINUTE=30;BYSECOND=0", 2) == [
        "2026-01-05 09:30",
        "2026-01-05 10:30",
    ]


# Where a rule starts, and where it ends


def test_without_a_start_a_rule_means_what_the_names_mean() -> None:
    after = datetime(2026, 11, 21, 12, tzinfo=UTC)
    for freq, name in [
        ("DAILY", "daily"),
        ("WEEKLY", "weekly"),
        ("MONTHLY", "monthly"),
        ("YEARLY", "yearly"),
    ]:
        assert runs(f"rrule:FREQ={freq}", 3, "Asia/Tokyo", after) == runs(name, 3, "Asia/Tokyo", after)


def test_the_anchor_is_the_start() -> None:
    anchor = datetime(2026, 1, 14, 8, 30, 15, 999, tzinfo=UTC)
    assert runs("rrule:FREQ=WEEKLY;INTERVAL=2", 2, "Europe/Paris", anchor=anchor) == [
        "2026-01-14 09:30",
        "2026-01-28 09:30",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "rrule:DTSTART=20260105T090000;FREQ=DAILY",
        "RRULE:FREQ=DAILY;DTSTART=2026-01-05T09:00",
        "freq=daily;dtstart=20260105T090000",
        "rrule:FREQ=DAILY;DTSTART=20260105T080000Z",
        "DTSTART:20260105T090000\nRRULE:FREQ=DAILY",
        "rrule:DTSTART;TZID=Europe/Paris:20260105T090000\r\nRRULE:FREQ=DAILY;",
    ],
)
def test_a_start_in_the_text(text: str) -> None:
    assert runs(text, 2, "Europe/Paris") == ["2026-01-05 09:00", "2026-01-06 09:00"]


def test_the_start_itself_counts_only_when_the_rule_names_it() -> None:
    assert runs("rrule:FREQ=DAILY;BYHOUR=10;DTSTART=20260105T090000", 1) == ["2026-01-05 10:00"]


def test_count() -> None:
    rule = "rrule:FREQ=DAILY;COUNT=3;DTSTART=20260105T090000"
    assert runs(rule, 9) == ["2026-01-05 09:00", "2026-01-06 09:00", "2026-01-07 09:00"]
    assert runs(rule, 9, after=datetime(2026, 1, 6, 12, tzinfo=UTC)) == ["2026-01-07 09:00"]
    assert runs(rule, 9, after=datetime(2030, 1, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260107T090000", "2026-01-07 09:00"),
        ("20260107T085959", "2026-01-06 09:00"),
        ("20260107T080000Z", "2026-01-07 09:00"),
        ("20260107T075959Z", "2026-01-06 09:00"),
        ("20260107", "2026-01-07 09:00"),
    ],
)
def test_until(until: str, last: str) -> None:
    assert runs(f"rrule:FREQ=DAILY;UNTIL={until};DTSTART=20260105T090000", 9, "Europe/Paris")[-1] == last


# When clocks change, a rule behaves like a fixed-time job


def test_a_skipped_time_runs_right_after_the_gap() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert runs("rrule:FREQ=DAILY;BYHOUR=1;BYMINUTE=0,30", 2, "Europe/London", before) == [
        "2026-03-29 02:00",
        "2026-03-30 01:00",
    ]


def test_a_repeated_time_runs_the_first_time() -> None:
    schedule = parse("rrule:FREQ=DAILY;BYHOUR=1;BYMINUTE=30", "Europe/London")
    found = schedule.next(datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert found is not None
    assert found.isoformat() == "2026-10-25T01:30:00+01:00"
    later = schedule.next(datetime(2026, 10, 25, 1, 10, tzinfo=UTC))  # 01:10 for the second time
    assert later is not None
    assert later.isoformat() == "2026-10-26T01:30:00+00:00"


def test_an_hourly_rule_is_wall_time() -> None:
    before = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    assert runs("rrule:FREQ=HOURLY", 2, "Europe/London", before) == ["2026-10-25 01:00", "2026-10-25 02:00"]


def test_a_missing_day_is_not_made_up_for() -> None:
    before = datetime(2011, 12, 29, 12, tzinfo=UTC)
    assert runs("rrule:FREQ=DAILY;BYHOUR=12", 2, "Pacific/Apia", before) == [
        "2011-12-29 12:00",
        "2011-12-31 12:00",
    ]


# In words


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=DAILY;BYHOUR=9", "every day at 09:00"),
        ("FREQ=DAILY;INTERVAL=3;BYHOUR=9,17;BYMINUTE=30", "every 3 days at 09:30 and 17:30"),
        ("FREQ=WEEKLY;BYDAY=FR,MO", "Mondays and Fridays at 00:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9", "every 2 weeks on Mondays at 09:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15", "the 1st and 15th of every month at 00:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "the last day of every month at 00:00"),
        ("FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR", "the last Friday of every 3 months at 00:00"),
        ("FREQ=MONTHLY;BYDAY=2TU", "the second Tuesday of every month at 00:00"),
        ("FREQ=HOURLY", "rrule:FREQ=HOURLY"),
        ("FREQ=DAILY;COUNT=2", "rrule:FREQ=DAILY;COUNT=2"),
    ],
)
def test_words(rule: str, words: str) -> None:
    assert parse(f"rrule:{rule}").describe() == words


# dateutil as the oracle


def some(key: str, low: int, high: int, *, signed: bool = False) -> st.SearchStrategy[str]:
    number = st.integers(low, high).flatmap(lambda n: st.sampled_from([n, -n]) if signed else st.just(n))
    return st.lists(number, min_size=1, max_size=4, unique=True).map(
        lambda ns: f"{key}={','.join(map(str, ns))}"
    )


PLAIN_DAYS = st.lists(
    st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, max_size=4, unique=True
)
COUNTED_DAYS = st.lists(
    st.sampled_from(["1MO", "-1FR", "2TU", "5SU", "-2WE"]), min_size=1, max_size=3, unique=True
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 30))}"]
    days = st.one_of(PLAIN_DAYS, COUNTED_DAYS) if freq in {"YEARLY", "MONTHLY"} else PLAIN_DAYS
    optional = [
        some("BYMONTH", 1, 12),
        some("BYMONTHDAY", 1, 31, signed=True),
        days.map(lambda names: f"BYDAY={','.join(names)}"),
        some("BYHOUR", 0, 23),
        some("BYMINUTE", 0, 59),
        some("BYSECOND", 0, 59),
    ]
    if freq == "YEARLY":
        optional += [some("BYYEARDAY", 1, 366, signed=True), some("BYWEEKNO", 1, 53, signed=True)]
    if freq != "WEEKLY":  # there, dateutil counts positions in a first week that is cut off by DTSTART
        optional.append(some("BYSETPOS", 1, 5, signed=True))
    parts += [draw(part) for part in optional if draw(st.integers(0, 3)) == 0]
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(['MO', 'WE', 'SA', 'SU']))}")
    return ";".join(parts)


PERIODS = {
    "YE": timedelta(days=365),
    "MO": timedelta(days=30),
    "WE": timedelta(days=7),
    "DA": timedelta(days=1),
    "HO": timedelta(hours=1),
    "MI": timedelta(minutes=1),
    "SE": timedelta(seconds=1),
}


@settings(
    max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(rule=rules(), start=st.datetimes(datetime(1999, 1, 1), datetime(2004, 1, 1)))  # noqa: DTZ001
def test_rules_equal_dateutil(rule: str, start: datetime) -> None:
    start = start.replace(microsecond=0)
    try:
        schedule = parse(f"rrule:{rule}", "UTC", start)
    except ScheduleError as error:
        assert "can never fire" in str(error)  # noqa: PT017
        return
    found, moment = [], LONG_AGO
    for _ in range(5):
        following = schedule.next(moment)
        # dateutil goes there period by period from the start, which may take it hours
        if following is None or (following.replace(tzinfo=None) - start) / PERIODS[rule[5:7]] > 5000:
            break
        found.append(following)
        moment = following
    assume(found)
    theirs = islice(rrulestr(rule, dtstart=start), len(found))
    assert [each.replace(tzinfo=UTC) for each in theirs] == found
    # and asked half way it is the same
    middle = found[0] + (found[-1] - found[0]) / 2
    assert schedule.next(middle) == next((each for each in found if each > middle), schedule.next(found[-1]))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=23;BYMINUTE=59;BYSECOND=59",
        "FREQ=MINUTELY;INTERVAL=7;BYHOUR=3;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU",
        "FREQ=HOURLY;INTERVAL=25;BYHOUR=9;BYDAY=MO;BYMONTHDAY=29;BYMONTH=2",
        "FREQ=SECONDLY;INTERVAL=86399;BYHOUR=1;BYDAY=MO",
    ],
)
def test_what_fires_seldom_is_found_soon(rule: str) -> None:
    schedule = parse(f"rrule:{rule}")
    found, calls = calls_of(lambda: schedule.next(datetime(2026, 1, 1, tzinfo=UTC)))
    assert found
    assert calls < AT_ONCE
