"""What may be written on a card, and how it is read."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rota.model.card import block, card_number, column_of, due_of, line, overdue, tags_of
from rota.model.errors import NotFoundError, RotaError

NOW = datetime(2026, 11, 18, 23, 30, tzinfo=ZoneInfo("Europe/London"))


@pytest.mark.parametrize("text", ["c12", "C12", "12", "#12", " c12 "])
def test_a_card_is_named_in_any_way(text: str) -> None:
    assert card_number(text) == 12


@pytest.mark.parametrize("text", ["", "c", "c0", "c-1", "c1.5", "card", "c12x", "9" * 30])
def test_what_is_no_card_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NotFoundError, match="is no card"):
        card_number(text)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("2026-12-01", "2026-12-01"),
        ("2026-12-01T09:00", "2026-12-01T09:00"),
        ("2026-12-01 09:00:30", "2026-12-01T09:00"),
        ("2026-12-01T00:30+02:00", "2026-11-30T22:30"),
        ("Today", "2026-11-18"),
        ("tomorrow", "2026-11-19"),
        ("3d", "2026-11-21"),
        ("+2w", "2026-12-02"),
    ],
)
def test_due_dates_are_read_on_the_workspace_s_clocks(text: str, due: str) -> None:
    assert due_of(text, NOW) == due


@pytest.mark.parametrize(
    "text", ["soon", "2026-13-01", "9999w1", "10-11-2026", "20261201", "0001-01-01T00:00+14:00"]
)
def test_other_dates_are_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(RotaError) as caught:
        due_of(text, NOW)
    assert caught.value.hint is not None
    assert "2026-12-01T09:00" in caught.value.hint


def test_a_date_is_over_when_its_day_is_and_a_time_when_it_has_come() -> None:
    assert not overdue(None, NOW)
    assert overdue("2026-11-17", NOW)
    assert not overdue("2026-11-18", NOW)
    assert overdue("2026-11-18T23:30", NOW)
    assert not overdue("2026-11-18T23:31", NOW)


def test_texts_are_kept_as_they_are_but_for_their_ends() -> None:
    assert line("  two\n words ", 20, "it") == "two words"
    assert block("a\r\n\n  b  \n\n", 20, "it") == "a\n\n  b"
    assert tags_of(["#home", "home", " phone ", ""]) == ("home", "phone")
    for bad in ("a\0b", "\ud800", "x" * 21):
        with pytest.raises(RotaError):
            block(bad, 20, "it")


def test_a_column_is_known_by_its_words() -> None:
    assert column_of(" in  PROGRESS", ("Backlog", "In progress")) == "In progress"
    with pytest.raises(NotFoundError) as caught:
        column_of("done", ("Backlog", "In progress"))
    assert caught.value.hint == "columns: Backlog, In progress"
