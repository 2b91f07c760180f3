"""The board in a terminal: side by side where there is room, one below the other where there is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rota.app.cards import BoardView, Lane
from rota.cli.boards import MOST_SHOWN, board_lines
from rota.cli.output import width_of
from rota.model.card import Author, Card, CardKind

MARA = Author("mara")


def card(number: int, title: str, **more: object) -> Card:
    return replace(Card(number, title, "inbox", MARA, 1, 1), **more)  # type: ignore[arg-type] # as a table


FULL = card(12, "Call Priya", due="2026-12-01T09:00", assignee="sam", tags=("phone", "work"), comments=1)
VIEW = BoardView(
    (Lane("inbox", (card(1, "Attic"), FULL)), Lane("todo", ()), Lane("done", (card(3, "Write"),))),
    archived=0,
    overdue=frozenset({1}),
)


def test_columns_stand_side_by_side() -> None:
    assert board_lines(VIEW, 80) == [
        "inbox (2)                  todo (0)                   done (1)",
        "─" * 25 + "  " + "─" * 25 + "  " + "─" * 25,
        "c1 Attic                                              c3 Write",
        "c12 Call Priya",
        "  due 2026-12-01 09:00",
        "  @sam #phone #work",
        "  1 comment",
    ]


def test_in_a_narrow_terminal_they_stand_below_each_other() -> None:
    lines = board_lines(VIEW, 40)
    assert lines[:4] == ["inbox (2)", "─" * 40, "c1 Attic", "c12 Call Priya"]
    assert lines[-3:] == ["done (1)", "─" * 40, "c3 Write"]
    assert "todo (0)" in lines


@pytest.mark.parametrize("width", [10, 18, 25, 58, 60, 79, 80, 200])
@pytest.mark.parametrize(
    "title",
    [
        "x" * 200,
        "word " * 40,
        "日本語のとても長いタイトルです" * 6,
        "é" * 100,
        "a b",
        "https://example.org/" + "p/" * 60,
    ],
    ids=["one-word", "words", "wide", "accents", "short", "address"],
)
def test_nothing_is_wider_than_the_terminal(width: int, title: str) -> None:
    cards = (card(1, title.strip()), replace(FULL, title=title.strip(), kind=CardKind.PROPOSAL))
    view = BoardView((Lane("in progress, and more than that", cards), Lane("b", cards)), 0, frozenset({12}))
    lines = board_lines(view, width)
    assert max(map(width_of, lines)) <= width
    assert title.split(maxsplit=1)[0][:4] in "".join(lines)


def test_a_late_card_and_a_proposal_say_so() -> None:
    late = replace(FULL, kind=CardKind.PROPOSAL)
    lines = board_lines(BoardView((Lane("inbox", (late,)),), 0, frozenset({12})), 80)
    assert "  late 2026-12-01 09:00" in lines
    assert "  a proposal" in lines


def test_a_long_column_says_how_many_are_left_out() -> None:
    view = BoardView((Lane("inbox", tuple(card(n, f"Card {n}") for n in range(1, 31))),), 0, frozenset())
    lines = board_lines(view, 80)
    assert lines[-1] == f"… {30 - MOST_SHOWN} more"
    assert len(board_lines(view, 80, whole=True)) == 32
