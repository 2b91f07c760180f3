"""The `card` step: what comes onto the board, once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rota.model.card import Author, AuthorKind, Card
from rota.model.config import BoardConfig
from rota.model.errors import NotFoundError, RotaError

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench


def cards(bench: Bench) -> list[Card]:
    return bench.store.read(lambda tx: tx.cards.open())


def test_everything_that_the_step_says_is_on_the_card(bench: Bench) -> None:
    keys = {
        "card": "Look at {{ payload.host }}",
        "body": "It has **{{ payload.free }}** left.\n",
        "column": "Todo",
        "tags": ["disk", "#ops"],
        "due": "3d",
        "assignee": "sam",
        "key": "disk-{{ payload.host }}",
    }
    result = bench.done(keys, values={"payload": {"host": "web-1", "free": "2 %"}})
    assert (result.output, dict(result.values)) == ("c1", {"card": "c1", "created": True, "column": "todo"})
    (card,) = cards(bench)
    assert (card.title, card.body) == ("Look at web-1", "It has **2 %** left.")
    assert (card.column, card.tags, card.due, card.assignee) == ("todo", ("disk", "ops"), "2026-11-21", "sam")
    assert card.created_by == Author("job", AuthorKind.JOB, "run-1", "job", "step")
    assert bench.log.decode() == "c1 in todo: Look at web-1\n"


def test_a_step_that_is_tried_again_makes_no_second_card(bench: Bench) -> None:
    assert bench.done({"card": "Once"}).values["created"] is True
    again = bench.done({"card": "Once"})
    assert (again.output, again.values["created"]) == ("c1", False)
    assert len(cards(bench)) == 1
    assert "c1 is there already (in inbox): Once" in bench.log.decode()


def test_a_key_makes_one_card_for_ever(bench: Bench) -> None:
    bench.done({"card": "Pay", "key": "invoice-1"})
    card = cards(bench)[0]
    bench.store.write_now(lambda tx: tx.cards.save(replace(card, archived_at=5), card.version))
    assert bench.done({"card": "Pay it now", "key": "invoice-1"}).values == {
        "card": "c1",
        "created": False,
        "column": "inbox",
    }
    assert "c1 is there already (is in the archive): Pay" in bench.log.decode()
    assert cards(bench) == []


def test_a_value_from_outside_is_text_and_a_secret_stays_out(bench: Bench) -> None:
    bench.secrets.stored["TOKEN"] = "s3cr3t-value"
    outside = "{{ 7*7 }} ${TOKEN} s3cr3t-value"
    bench.done({"card": "{{ payload }}", "body": "${TOKEN}"}, values={"payload": outside})
    (card,) = cards(bench)
    assert (card.title, card.body) == ("{{ 7*7 }} ${TOKEN} ***", "${TOKEN}")


def test_a_mistake_is_said_with_what_there_is(bench: Bench) -> None:
    bench.settings(board=BoardConfig(("Now", "Later")))
    with pytest.raises(NotFoundError, match="no column 'todo'") as caught:
        bench.run({"card": "x", "column": "todo"})
    assert caught.value.hint == "columns: Now, Later"
    for keys, words in (
        ({"card": " \n"}, "the title is empty"),
        ({"card": "x" * 201}, "the title has 201 characters; at most 200"),
        ({"card": "x", "due": "soon"}, "cannot read when 'soon' is"),
        ({"card": "x", "tags": ["a,b"]}, "a tag has no comma in it"),
    ):
        with pytest.raises(RotaError, match=words):
            bench.run(keys)
    assert cards(bench) == []


def test_a_full_board_takes_no_more_and_says_what_to_do(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rota.engine.board.MOST_CARDS", 2)
    bench.done({"card": "a", "key": "a"})
    bench.done({"card": "b", "key": "b"})
    with pytest.raises(RotaError, match="the board is full: 2 cards are on it") as caught:
        bench.run({"card": "c", "key": "c"})
    assert caught.value.code == "board_full"
    assert bench.done({"card": "a again", "key": "a"}).values["created"] is False
