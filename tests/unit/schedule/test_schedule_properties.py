"""What holds for every schedule, in every zone, at every instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from rota.model.errors import ScheduleError
from rota.schedule import Schedule, parse

ZONES = [
    *(
        "UTC",
        "Europe/London",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "America/St_Johns",
    ),
    *("Pacific/Apia", "America/Santiago", "Asia/Beirut", "Africa/Cairo", "Africa/Casablanca", "Asia/Tehran"),
    *("Antarctica/Troll", "Antarctica/Casey", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Kwajalein"),
]
# Instants close to changes of clocks, which a uniform choice would seldom meet.
CHANGES = [
    *("2026-03-29T01:00", "2026-10-25T01:00", "2026-03-08T07:00", "2026-11-01T06:00", "2026-04-04T15:00"),
    *("2026-10-03T15:30", "2026-04-04T14:00", "2026-09-26T14:00", "2010-03-14T03:31", "2010-11-07T02:31"),
    *("2011-12-30T10:00", "1993-08-21T12:00", "2026-04-05T03:00", "2026-09-06T04:00", "2009-10-17T18:00"),
    *("2026-02-15T02:00", "2026-03-22T02:00", "2018-11-04T03:00", "1985-12-31T18:30", "2022-03-21T20:30"),
]
QUICK = settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    numbers = st.lists(number, min_size=1, max_size=3).map(lambda ns: ",".join(map(str, ns)))
    ranges = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.integers(2, high).map(lambda n: f"*/{n}")
    return st.one_of(st.just("*"), numbers, ranges, steps)


CRON = st.tuples(
    fields(0, 59), fields(0, 23), st.one_of(st.just("*"), fields(1, 31)), st.just("*"), fields(0, 7)
).map(" ".join)
RULES = st.tuples(
    st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]),
    st.integers(1, 40),
    st.lists(st.sampled_from(["BYHOUR=1,2", "BYMINUTE=0,30", "BYDAY=SU,MO", "BYMONTH=3,4,10"]), unique=True),
).map(lambda rule: ";".join([f"rrule:FREQ={rule[0]};INTERVAL={rule[1]}", *rule[2]]))
EVERY = st.integers(1, 200_000).map(lambda n: f"every {n}s")
TEXTS = st.one_of(CRON, CRON, RULES, EVERY)
INSTANTS = st.one_of(
    st.tuples(st.sampled_from(CHANGES), st.integers(-8 * 3600 * 10**6, 4 * 3600 * 10**6)).map(
        lambda near: datetime.fromisoformat(near[0]).replace(tzinfo=UTC) + timedelta(microseconds=near[1])
    ),
    st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)).map(lambda d: d.replace(tzinfo=UTC)),  # noqa: DTZ001
)


def schedule_of(text: str, zone: str) -> Schedule:
    try:
        return parse(text, zone)
    except ScheduleError:  # it can never fire
        reject()


@QUICK
@given(text=TEXTS, zone=st.sampled_from(ZONES), after=INSTANTS, parts=st.lists(st.floats(0, 1), max_size=4))
def test_between_an_instant_and_its_next_run_the_answer_stays(
    text: str, zone: str, after: datetime, parts: list[float]
) -> None:
    schedule = schedule_of(text, zone)
    following = schedule.next(after)
    assume(following is not None)
    assert following is not None
    instant = following.astimezone(UTC)
    assert instant > after
    last = instant - timedelta(microseconds=1)
    for moment in [last, *(after + (last - after) * part for part in parts)]:
        between = schedule.next(moment)
        assert between is not None
        assert between.astimezone(UTC) == instant


@QUICK
@given(text=TEXTS, zone=st.sampled_from(ZONES), after=INSTANTS)
def test_runs_move_on(text: str, zone: str, after: datetime) -> None:
    schedule = schedule_of(text, zone)
    for _ in range(5):
        following = schedule.next(after)
        if following is None:
            return
        assert following.tzinfo is not None
        assert following.astimezone(UTC) > after
        after = following.astimezone(UTC)


@QUICK
@given(text=st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    refusal = None
    try:
        parse(text)
    except ScheduleError as error:
        refusal = error
    if refusal is not None:
        assert refusal.hint
        assert len(str(refusal).splitlines()) == 1


@QUICK
@given(
    text=TEXTS,
    zone=st.sampled_from(ZONES),
    after=INSTANTS,
    span=st.timedeltas(timedelta(0), timedelta(days=3)),
)
def test_counting_is_listing(text: str, zone: str, after: datetime, span: timedelta) -> None:
    schedule = schedule_of(text, zone)
    listed, moment = 0, schedule.next(after)
    while moment is not None and moment.astimezone(UTC) <= after + span:
        listed += 1
        if listed > 2000:  # `every` seconds: what is asked here needs no thousands
            reject()
        moment = schedule.next(moment)
    assert schedule.count(after, after + span) == listed
