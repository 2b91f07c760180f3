"""Cards and what was said on them; who has taken which question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rota.model.card import Author, AuthorKind, Card, CardComment, CardKind, Links
from rota.model.message import Take
from rota.model.run import Reason, Run, RunState
from rota.ports.store import Store, Tx

MARA = Author("mara")
AGENT = Author("claude", AuthorKind.AGENT, "r1", "plan", "ask", "s-1")
EVERYTHING = Card(
    7, "Call Priya", "todo", AGENT, 10, 20, "About *Monday*.", 5, CardKind.PROPOSAL, ("home", "phone"), "2026-12-01",
    "sam", 3, 0, "call-priya", Links("r1", "ask", "p1", "https://example.org"), {"diff": "+a"}, None, None,
)  # fmt: skip


def add(store: Store, *cards: Card) -> None:
    def work(tx: Tx) -> None:
        for card in cards:
            tx.cards.add(card)

    store.write_now(work)


def plain(number: int, column: str = "todo", position: int = 0) -> Card:
    return Card(number, f"Card {number}", column, MARA, 1, 1, position=position)


def test_a_card_comes_back_as_it_went_in(store: Store) -> None:
    add(store, EVERYTHING)
    assert store.read(lambda tx: tx.cards.get(7)) == EVERYTHING
    assert store.read(lambda tx: tx.cards.with_key("call-priya")) == EVERYTHING
    assert store.read(lambda tx: tx.cards.get(8)) is None
    assert store.read(lambda tx: tx.cards.with_key("another")) is None


def test_a_number_is_given_once_even_when_its_card_is_gone(store: Store) -> None:
    assert store.read(lambda tx: tx.cards.next_number()) == 1
    add(store, plain(1), plain(2))
    store.write_now(lambda tx: tx.cards.save(replace(plain(2), title="", archived_at=5, removed_at=5), 1))
    assert store.read(lambda tx: tx.cards.next_number()) == 3
    assert [card.number for card in store.read(lambda tx: tx.cards.open())] == [1]
    assert store.read(lambda tx: tx.cards.archived(10)) == []
    assert store.read(lambda tx: tx.cards.counts()) == (1, 0)


def test_of_two_who_change_the_same_version_one_is_told(store: Store, open_one: Callable[..., Store]) -> None:
    add(store, plain(1))
    mine, yours = replace(plain(1), title="Mine"), replace(plain(1), title="Yours")
    assert store.write_now(lambda tx: tx.cards.save(mine, 1)) is True
    assert open_one().write_now(lambda tx: tx.cards.save(yours, 1)) is False
    assert store.read(lambda tx: tx.cards.get(1)) == replace(mine, version=2)


def test_a_change_leaves_alone_who_made_it_and_what_was_said(store: Store) -> None:
    add(store, EVERYTHING)
    store.write_now(lambda tx: tx.cards.comment(7, MARA, "Not today.", 30))
    known = store.read(lambda tx: tx.cards.get(7))
    assert known == replace(EVERYTHING, comments=1, updated_at=30)
    other = replace(EVERYTHING, title="Call", created_by=MARA, created_at=99, key="else", comments=50)
    assert store.write_now(lambda tx: tx.cards.save(other, 3))
    assert store.read(lambda tx: tx.cards.get(7)) == replace(
        EVERYTHING, title="Call", comments=1, version=4, updated_at=20
    )


def test_columns_are_read_in_their_order(store: Store) -> None:
    add(store, plain(1, position=20), plain(2, position=10), plain(3, "doing"), plain(4, position=20))
    assert [card.number for card in store.read(lambda tx: tx.cards.open())] == [3, 2, 1, 4]
    assert store.read(lambda tx: tx.cards.positions("todo")) == [(2, 10), (1, 20), (4, 20)]
    store.write_now(lambda tx: tx.cards.put_position(4, 5))
    assert store.read(lambda tx: tx.cards.positions("todo")) == [(4, 5), (2, 10), (1, 20)]
    moved = store.read(lambda tx: tx.cards.get(4))
    assert moved is not None
    assert moved.version == 1, "a place in a column is nobody's edit"


def test_the_archive_shows_the_latest_first(store: Store) -> None:
    add(store, plain(1), plain(2), plain(3))
    for number, at in ((1, 50), (3, 40)):
        card = replace(plain(number), archived_at=at)
        assert store.write_now(lambda tx, card=card: tx.cards.save(card, 1))  # type: ignore[misc] # bound at once
    assert [card.number for card in store.read(lambda tx: tx.cards.archived(10))] == [1, 3]
    assert [card.number for card in store.read(lambda tx: tx.cards.archived(1))] == [1]
    assert store.read(lambda tx: tx.cards.counts()) == (1, 2)


def test_what_is_said_is_numbered_by_card(store: Store) -> None:
    add(store, plain(1), plain(2))
    first = store.write_now(lambda tx: tx.cards.comment(1, MARA, "One.", 10))
    second = store.write_now(lambda tx: tx.cards.comment(1, AGENT, "Two.", 20))
    other = store.write_now(lambda tx: tx.cards.comment(2, MARA, "Elsewhere.", 30))
    assert (first.id, second.id, other.id) == (1, 2, 1)
    assert store.read(lambda tx: tx.cards.comments(1)) == [
        CardComment(1, MARA, "One.", 10),
        CardComment(2, AGENT, "Two.", 20),
    ]
    store.write_now(lambda tx: tx.cards.forget_comments(1))
    assert store.read(lambda tx: tx.cards.comments(1)) == []
    assert [card.comments for card in store.read(lambda tx: tx.cards.open())] == [0, 1]


def test_each_workspace_has_a_board_of_its_own(store: Store, open_one: Callable[..., Store]) -> None:
    add(store, EVERYTHING)
    other = open_one("another")
    assert other.read(lambda tx: tx.cards.open()) == []
    assert other.read(lambda tx: tx.cards.next_number()) == 1
    add(other, replace(plain(1), key="call-priya"))
    assert [card.number for card in store.read(lambda tx: tx.cards.open())] == [7]


def test_who_has_taken_a_question_is_known_until_its_run_is_gone(store: Store) -> None:
    run = Run("r1", "j", RunState.QUEUED, "h", 1)
    store.write_now(lambda tx: tx.runs.add(run))
    one = Take("r1", "ask", 5, "claude", 10, 70)
    store.write_now(lambda tx: tx.takes.put(one))
    assert store.read(lambda tx: tx.takes.of("r1", "ask")) == one
    assert store.read(lambda tx: tx.takes.of("r1", "other")) is None
    later = replace(one, by="mara", taken_at=80, until=90)
    store.write_now(lambda tx: tx.takes.put(later))
    assert store.read(lambda tx: tx.takes.all()) == [later]
    store.write_now(lambda tx: tx.takes.drop("r1", "ask"))
    assert store.read(lambda tx: tx.takes.all()) == []
    store.write_now(lambda tx: tx.takes.put(one))
    store.write_now(lambda tx: tx.runs.finish(run, RunState.CANCELLED, Reason("cancelled", "by hand"), 2, {}))
    store.write_now(lambda tx: tx.runs.prune(["r1"]))
    assert store.read(lambda tx: tx.takes.all()) == []
