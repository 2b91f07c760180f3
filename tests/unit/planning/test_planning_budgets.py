"""Where days, weeks and months begin, which cap is reached, what is left, and how it is said."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.model.agent import Caps
from rota.model.budget import Bound, Budget, Scope, Span
from rota.model.config import AgentConfig, WorkspaceConfig
from rota.model.instants import HOUR, MINUTE, Micros, from_micros, to_micros
from rota.model.job import Job, Step
from rota.model.spend import UNUSED, Used
from rota.planning.budgets import (
    Standing,
    bounds_of,
    costs,
    dollars,
    edges,
    exceeded,
    in_words,
    left,
    reached,
    said,
    usual,
)

LONDON = "Europe/London"
ZONES = [
    "UTC",
    LONDON,
    "America/New_York",
    "America/Santiago",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Australia/Lord_Howe",
]


def at(text: str, zone: str = LONDON) -> Micros:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


@pytest.mark.parametrize(
    ("span", "now", "start", "end"),
    [
        (Span.DAY, "2026-11-28T15:00", "2026-11-28", "2026-11-29"),
        (Span.WEEK, "2026-11-29T23:59", "2026-11-23", "2026-11-30"),
        (Span.WEEK, "2026-11-30T00:00", "2026-11-30", "2026-12-07"),
        (Span.MONTH, "2026-12-31T23:59", "2026-12-01", "2027-01-01"),
        (Span.MONTH, "2028-02-29T12:00", "2028-02-01", "2028-03-01"),
    ],
)
def test_spans_are_those_of_the_calendar(span: Span, now: str, start: str, end: str) -> None:
    assert edges(span, at(now), LONDON) == (at(start), at(end))


@pytest.mark.parametrize(("day", "hours"), [("2027-03-28", 23), ("2026-10-25", 25), ("2026-11-28", 24)])
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(day: str, hours: int) -> None:
    start, end = edges(Span.DAY, at(f"{day}T12:00"), LONDON)
    assert end - start == hours * HOUR


@given(
    st.integers(to_micros(datetime(2020, 1, 1, tzinfo=UTC)), to_micros(datetime(2035, 1, 1, tzinfo=UTC))),
    st.sampled_from(ZONES),
    st.sampled_from([Span.DAY, Span.WEEK, Span.MONTH]),
)
def test_every_instant_is_in_its_span_and_spans_follow_each_other(now: Micros, zone: str, span: Span) -> None:
    start, end = edges(span, now, zone)
    assert start <= now < end
    assert edges(span, end, zone)[0] == end, "the next begins where this one ends"
    assert edges(span, start, zone) == (start, end)
    first = from_micros(start).astimezone(ZoneInfo(zone))
    assert first.date() <= from_micros(now).astimezone(ZoneInfo(zone)).date()


def test_the_budgets_that_hold_for_a_step_each_by_its_own_calendar() -> None:
    job = Job("j", "j", (), timezone="America/New_York", budget=Budget(run=Caps(turns=9), day=Caps(usd=1)))
    config = WorkspaceConfig(timezone=LONDON, budget=Budget(day=Caps(usd=5)))
    now = at("2026-11-28T03:00")
    found = bounds_of(job, config, now, Caps(tokens=5))
    assert [(bound.scope, bound.span) for bound in found] == [
        (Scope.STEP, Span.RUN),
        (Scope.JOB, Span.RUN),
        (Scope.JOB, Span.DAY),
        (Scope.WORKSPACE, Span.DAY),
    ]
    assert found[2].start == at("2026-11-27", "America/New_York")
    assert found[3].start == at("2026-11-28")


def of_day(caps: Caps, used: Used = UNUSED, held: Used = UNUSED) -> Standing:
    return Standing(Bound(Scope.JOB, Span.DAY, caps, timezone=LONDON, end=at("2026-11-29")), used, held)


@pytest.mark.parametrize(
    ("caps", "used", "unit"),
    [
        (Caps(usd=1), Used(usd=0.999), None),
        (Caps(usd=1), Used(usd=1.0), "usd"),
        (Caps(tokens=10), Used(tokens=11), "tokens"),
        (Caps(turns=0), Used(), "turns"),
        (Caps(minutes=1.5), Used(worked=90 * MINUTE // 60), "minutes"),
        (Caps(usd=9, turns=2), Used(turns=2), "turns"),
    ],
)
def test_a_cap_is_reached_with_what_it_says(caps: Caps, used: Used, unit: str | None) -> None:
    found = reached([of_day(caps, used)])
    assert (found and found.unit) == unit


def test_what_is_usual_has_to_be_left_beside_what_others_set_aside() -> None:
    usually = Used(usd=0.3)
    assert exceeded([of_day(Caps(usd=1), Used(usd=0.5))], usually) is None
    assert exceeded([of_day(Caps(usd=1), Used(usd=0.8))], usually) is not None
    found = exceeded([of_day(Caps(usd=1), Used(usd=0.5), Used(usd=0.3))], usually)
    assert found is not None
    assert in_words(found) == (
        "the job's budget of a day, $1.00, does not suffice: $0.50 is used, $0.30 is set aside for others at work, "
        "and this usually takes $0.30; the next begins Sun 29 Nov 00:00 London"
    )
    assert exceeded([of_day(Caps(usd=0.1))], usually) is None, "of a fresh one everybody may begin"


def test_what_is_left_is_the_least_of_all_budgets() -> None:
    found = left([
        of_day(Caps(usd=1, tokens=100), Used(usd=0.25, tokens=40)),
        of_day(Caps(usd=5, turns=3), Used(usd=4.5, turns=9)),
    ])  # fmt: skip
    assert found == Caps(usd=0.5, tokens=60, turns=0)
    assert left([]) == Caps()


def test_what_is_usual_is_the_median_of_each_figure() -> None:
    assert usual([]) is None
    assert usual([Used(usd=9, tokens=1), Used(usd=1, tokens=9), Used(usd=2, tokens=5)]) == Used(
        usd=2, tokens=5
    )


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (0, "$0.00"),
        (12.3, "$12.30"),
        (0.3, "$0.30"),
        (0.2531, "$0.2531"),
        (0.00004, "$0.000040"),
        (1234.5, "$1,234.50"),
    ],
)
def test_dollars(usd: float, words: str) -> None:
    assert dollars(usd) == words


def test_other_amounts() -> None:
    found = [
        said("tokens", 1200),
        said("turns", 1),
        said("minutes", 1.5),
        said("minutes", 90),
        said("turns", 0),
    ]
    assert found == ["1,200 tokens", "1 turn", "1.5 min", "90 min", "0 turns"]


@pytest.mark.parametrize(
    ("of_step", "of_workspace", "answer"),
    [
        ("auto", "auto", True),
        ("inbox", "auto", False),
        ("auto", "inbox", False),
        ("builtin", "inbox", True),
    ],
)
def test_only_a_job_that_asks_a_model_costs(of_step: str, of_workspace: str, *, answer: bool) -> None:
    config = WorkspaceConfig(agent=AgentConfig(runner=of_workspace))
    shell = Step("a", "run", {"run": "x"})
    job = Job("j", "j", (shell, Step("b", "agent", {"agent": "x", "runner": of_step})))
    assert costs(job, config) is answer
    assert not costs(Job("j", "j", (shell,), budget=Budget(day=Caps(usd=1))), config)
