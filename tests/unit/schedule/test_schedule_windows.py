"""Windows: when a job may start, and when it next may."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.model.errors import ScheduleError
from rota.model.instants import MINUTE, Micros, from_micros, to_micros
from rota.schedule.windows import Gate, read_span, read_spans

LONDON = "Europe/London"


def at(text: str, zone: str = LONDON) -> Micros:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def said(instant: Micros | None, zone: str = LONDON) -> str | None:
    return None if instant is None else f"{from_micros(instant).astimezone(ZoneInfo(zone)):%a %H:%M}"


def test_inside_the_window_a_run_starts_at_once() -> None:
    gate = Gate(window=read_spans(["09:00-17:00"]))
    assert gate.closed_by(at("2026-11-23T09:00"), LONDON) is None
    assert gate.opens_at(at("2026-11-23T16:59"), LONDON) == at("2026-11-23T16:59")


def test_outside_it_waits_for_the_next_opening() -> None:
    gate = Gate(window=read_spans(["Mon-Fri 09:00-17:00"]))
    assert gate.closed_by(at("2026-11-20T17:00"), LONDON) == "outside the window Mon-Fri 09:00-17:00"
    assert said(gate.opens_at(at("2026-11-20T17:00"), LONDON)) == "Mon 09:00"


def test_a_window_over_midnight_belongs_to_the_day_it_begins_on() -> None:
    gate = Gate(window=read_spans(["Fri 22:00-06:00"]))
    assert gate.closed_by(at("2026-11-21T05:59"), LONDON) is None  # Saturday morning
    assert gate.closed_by(at("2026-11-20T05:59"), LONDON) is not None  # Friday morning is Thursday's night


def test_not_during_closes_whatever_the_window_says() -> None:
    gate = Gate(window=read_spans(["08:00-20:00"]), not_during=read_spans(["12:00-13:00"]))
    assert gate.closed_by(at("2026-11-23T12:30"), LONDON) == "not_during 12:00-13:00"
    assert said(gate.opens_at(at("2026-11-23T12:30"), LONDON)) == "Mon 13:00"


def test_dates_close_whole_days() -> None:
    gate = Gate(not_during=read_spans(["2026-12-24..2026-12-26"]))
    opening = gate.opens_at(at("2026-12-24T08:00"), LONDON)
    assert opening == at("2026-12-27T00:00")


def test_a_window_that_never_opens_again_says_so() -> None:
    gate = Gate(window=read_spans(["2020-01-01"]))
    assert gate.opens_at(at("2026-11-23T08:00"), LONDON) is None


def test_an_opening_in_the_hour_that_clocks_skip_is_still_found() -> None:
    gate = Gate(window=read_spans(["01:30-05:00"]))
    opening = gate.opens_at(at("2026-03-29T00:10"), LONDON)  # 01:00 to 02:00 does not exist
    assert opening is not None
    assert gate.closed_by(opening, LONDON) is None


@pytest.mark.parametrize(
    "text",
    ["", "9-17", "09:00-25:00", "Mon-Foo", "2026-13-01", "2026-12-26..2026-12-24", "09:00-10:00 11:00-12:00"],
)
def test_what_is_no_span_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        read_span(text)
    assert caught.value.hint


SPANS = st.sampled_from(
    ["09:00-17:00", "22:00-06:00", "Sat,Sun", "Mon-Fri 08:00-20:00", "00:00-24:00", "Sun 23:00-01:00"]
)


@given(
    window=st.lists(SPANS, max_size=2),
    closed=st.lists(SPANS, max_size=2),
    zone=st.sampled_from([LONDON, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    minutes=st.integers(0, 60 * 24 * 365),
)
def test_the_opening_is_open_and_nothing_before_it_is(
    window: list[str], closed: list[str], zone: str, minutes: int
) -> None:
    gate = Gate(window=read_spans(window), not_during=read_spans(closed))
    start = to_micros(datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(minutes=minutes))
    opening = gate.opens_at(start, zone)
    if opening is None:
        return
    assert opening >= start
    assert gate.closed_by(opening, zone) is None
    step = max(MINUTE, (opening - start) // 200)
    assert all(gate.closed_by(moment, zone) is not None for moment in range(start, opening, step))
