"""Lengths of time as text."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.model.errors import ScheduleError
from rota.schedule import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("10s", timedelta(seconds=10)),
        ("90m", timedelta(minutes=90)),
        ("4h", timedelta(hours=4)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
        ("1h30m", timedelta(minutes=90)),
        ("1h 30m 5s", timedelta(seconds=5405)),
        ("1.5h", timedelta(minutes=90)),
        (" 2 Days, 3 hours ", timedelta(days=2, hours=3)),
        ("5 min", timedelta(minutes=5)),
        ("1s500ms", timedelta(seconds=1.5)),
        ("36500d", timedelta(days=36500)),
    ],
)
def test_reads(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "such as 90m"),
        ("soon", "such as 90m"),
        ("5x", "such as 90m"),
        ("m", "such as 90m"),
        ("5m!", "such as 90m"),
        ("-5m", "such as 90m"),
        ("5m 5", "such as 90m"),
        ("1h1h", "the larger unit first"),
        ("٣s", "such as 90m"),
        ("300", "say which one: 300s, 300m, 300h or 300d"),
        (300, "say which one: 300s"),
        ("0s", "the shortest length here is 1s"),
        ("10ms", "the shortest length here is 1s"),
        ("101 years", "such as 90m"),
        ("36600d", "100 years"),
        ("999999999w", "100 years"),
        ("9" * 5000 + "s", "such as 90m"),
    ],
)
def test_refuses(text: str | int, hint: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_duration(text)
    assert hint in (caught.value.hint or "")
    assert "\n" not in str(caught.value)


def test_a_bare_number_has_a_unit_only_when_the_caller_says_so() -> None:
    assert parse_duration(300, bare="s") == parse_duration("300", bare="s") == timedelta(minutes=5)
    assert parse_duration("5m", bare="s") == timedelta(minutes=5)


def test_the_caller_chooses_the_shortest() -> None:
    assert parse_duration("0s", minimum=timedelta(0)) == timedelta(0)
    with pytest.raises(ScheduleError, match="too short"):
        parse_duration("4m", minimum=timedelta(minutes=5))


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=10), "10d"),
        (timedelta(days=14), "2w"),
        (timedelta(milliseconds=1500), "1s500ms"),
    ],
)
def test_writes(length: timedelta, text: str) -> None:
    assert format_duration(length) == text


@settings(derandomize=True, database=None)
@given(st.integers(1000, 10**12))
def test_reads_what_it_writes(milliseconds: int) -> None:
    length = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(length)) == length
