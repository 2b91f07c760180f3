"""The board: what changes a card, who is told that another was first, and what the feed says of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.opened import Opened

from rota.app import cards
from rota.app.cards import Wanted
from rota.model.card import Author, AuthorKind, Card
from rota.model.config import BoardConfig, WorkspaceConfig
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.instants import DAY
from rota.ports.cards import CardChanges, NewCard

MARA, SAM = Author("mara"), Author("sam")


def add(opened: Opened, title: str, **more: Any) -> Card:
    return cards.create(opened.app, NewCard(title, **more), MARA)[0]


def order(opened: Opened, column: str) -> list[str]:
    return [card.id for card in cards.view(opened.app, Wanted(column=column)).lanes[0].cards]


def events(opened: Opened) -> list[tuple[str, dict[str, Any]]]:
    found = opened.app.store.read(lambda tx: tx.events.after(0))
    return [(event.kind, dict(event.data)) for event in found if event.kind.startswith("card_")]


def test_a_card_goes_across_the_board_and_the_feed_tells_it(opened: Opened) -> None:
    add(opened, "Call Priya", tags=["phone"])
    cards.move(opened.app, "c1", "doing", SAM)
    cards.comment(opened.app, "c1", "She is away.", SAM)
    cards.change(opened.app, "c1", CardChanges(title="Write to Priya", drop_tags=["phone"]), MARA)
    cards.archive(opened.app, ["c1"], MARA)
    cards.restore(opened.app, "c1", MARA)
    cards.archive(opened.app, ["c1"], MARA)
    cards.remove(opened.app, "c1", MARA)
    told = events(opened)
    assert [kind for kind, _ in told] == [
        *("card_created", "card_moved", "card_commented", "card_changed", "card_archived"),
        *("card_restored", "card_archived", "card_removed"),
    ]
    assert told[1][1] == {
        "card": "c1",
        "by": "sam",
        "by_kind": "person",
        "from": "inbox",
        "to": "doing",
    }
    assert told[3][1]["changed"] == ["title", "tags"]
    assert "Priya" not in str(told), "what was removed does not live on in the feed"


def test_what_changes_nothing_is_no_change(opened: Opened) -> None:
    card = add(opened, "Call Priya", column="todo")
    assert cards.move(opened.app, "c1", "Todo", SAM) == card
    assert cards.change(opened.app, "c1", CardChanges(title=" Call  Priya "), SAM) == card
    assert [kind for kind, _ in events(opened)] == ["card_created"]


def test_of_two_writers_the_second_is_told_and_nothing_is_lost(opened: Opened) -> None:
    known = add(opened, "Plan", body="Mara's.").version
    cards.change(opened.app, "c1", CardChanges(body="Sam's."), SAM, version=known)
    with pytest.raises(ConflictError, match="you know version 1, it is at 2") as caught:
        cards.change(opened.app, "c1", CardChanges(body="Mara's again."), MARA, version=known)
    assert caught.value.hint == "look at it again (rota card show c1), then change it"
    with pytest.raises(ConflictError):
        cards.move(opened.app, "c1", "done", MARA, version=known)
    cards.comment(opened.app, "c1", "Comments take no turns.", MARA)
    cards.change(opened.app, "c1", CardChanges(due="2026-12-01"), MARA, version=2)
    card, comments = cards.find(opened.app, "c1")
    assert (card.body, card.due, card.column, len(comments)) == ("Sam's.", "2026-12-01", "inbox", 1)


def test_cards_stand_where_they_are_put(opened: Opened) -> None:
    for title in "abcd":
        add(opened, title)
    cards.move(opened.app, "c4", None, MARA, top=True)
    assert order(opened, "inbox") == ["c4", "c1", "c2", "c3"]
    cards.move(opened.app, "c4", "inbox", MARA, after="c2")
    assert order(opened, "inbox") == ["c1", "c2", "c4", "c3"]
    cards.move(opened.app, "c1", None, MARA)
    assert order(opened, "inbox") == ["c2", "c4", "c3", "c1"]
    add(opened, "e", column="todo")
    cards.move(opened.app, "c3", "todo", MARA, before="c5")
    assert order(opened, "todo") == ["c3", "c5"]
    with pytest.raises(NotFoundError, match="c1 is not in `todo`"):
        cards.move(opened.app, "c2", "todo", MARA, before="c1")
    for wrong in ({"top": True, "before": "c3"}, {"before": "c2"}):
        with pytest.raises(RotaError):
            cards.move(opened.app, "c2", None, MARA, **wrong)


def test_there_is_always_room_between_two_cards(opened: Opened) -> None:
    for title in "ab":
        add(opened, title)
    expected = ["c1", "c2"]
    for number in range(3, 60):
        add(opened, f"card {number}")
        cards.move(opened.app, f"c{number}", None, MARA, after="c1")
        expected.insert(1, f"c{number}")
    assert order(opened, "inbox") == expected


def test_a_column_that_the_settings_have_no_more_is_still_shown(opened: Opened) -> None:
    add(opened, "Old", column="doing")
    config = WorkspaceConfig(board=BoardConfig(("Now", "Later")))
    opened.app.config  # noqa: B018 # read, so that it can be replaced
    opened.app.use(type(opened.app.settings)(config))
    view = cards.view(opened.app)
    assert [(lane.name, lane.known, len(lane.cards)) for lane in view.lanes] == [
        ("Now", True, 0),
        ("Later", True, 0),
        ("doing", False, 1),
    ]
    assert order(opened, "DOING") == ["c1"]
    with pytest.raises(NotFoundError) as caught:
        cards.move(opened.app, "c1", "done", MARA)
    assert caught.value.hint == "columns: Now, Later"
    cards.archive(opened.app, ["c1"], MARA)
    assert cards.restore(opened.app, "c1", MARA).column == "Now"


def test_the_archive_keeps_what_it_gets(opened: Opened) -> None:
    for title in "abc":
        add(opened, title, column="done")
    opened.clock.advance(10 * DAY // 1_000_000)
    add(opened, "d", column="done")
    cards.comment(opened.app, "c2", "still alive", MARA)
    before = opened.clock.now() - 7 * DAY
    gone = cards.archive_column(opened.app, "Done", MARA, before=before)
    assert [card.id for card in gone] == ["c1", "c3"]
    assert cards.view(opened.app).archived == 2
    assert {card.id for card in cards.archived(opened.app)} == {"c1", "c3"}
    cards.comment(opened.app, "c1", "for the record", MARA)
    for act in (
        lambda: cards.move(opened.app, "c1", "todo", MARA),
        lambda: cards.change(opened.app, "c1", CardChanges(title="x"), MARA),
        lambda: cards.archive(opened.app, ["c2", "c1"], MARA),
    ):
        with pytest.raises(ConflictError, match="c1 is in the archive") as caught:
            act()
        assert caught.value.hint == "rota card restore c1"
    assert order(opened, "done") == ["c2", "c4"], "all of them or none"


def test_what_is_removed_is_gone_but_for_its_number_and_its_key(opened: Opened) -> None:
    add(opened, "Secret plan", body="of mine", key="plan")
    with pytest.raises(ConflictError, match="c1 is on the board"):
        cards.remove(opened.app, "c1", MARA)
    cards.comment(opened.app, "c1", "mine, too", MARA)
    cards.archive(opened.app, ["c1"], MARA)
    assert cards.remove(opened.app, "c1", MARA).title == "Secret plan"
    with pytest.raises(NotFoundError, match="c1 was removed"):
        cards.find(opened.app, "c1")
    again, created = cards.create(opened.app, NewCard("Plan", key="plan"), MARA)
    assert (again.removed_at is not None, created) == (True, False)
    assert add(opened, "Another").id == "c2"
    assert cards.view(opened.app).archived == 0


def test_a_card_s_talk_has_an_end(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.engine.board.MOST_COMMENTS", 2)
    add(opened, "Talk")
    for _ in range(2):
        cards.comment(opened.app, "c1", "more", MARA)
    with pytest.raises(ConflictError, match="c1 has 2 comments, and takes no more"):
        cards.comment(opened.app, "c1", "more", MARA)
    with pytest.raises(RotaError, match="the comment is empty"):
        cards.comment(opened.app, add(opened, "b").id, " \n", MARA)


def test_who_types_in_a_step_of_a_run_is_that_job(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROTA_JOB", "ROTA_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    assert cards.at_the_command_line().kind is AuthorKind.PERSON
    monkeypatch.setenv("ROTA_JOB", "plan")
    monkeypatch.setenv("ROTA_RUN_ID", "r1")
    monkeypatch.setenv("ROTA_STEP", "run")
    by = cards.at_the_command_line()
    assert by == Author("plan", AuthorKind.JOB, "r1", "plan", "run")
    assert cards.words_of(by) == "job plan (run r1)"
    card, _ = cards.create(opened.app, NewCard("x"), by)
    (event,) = opened.app.store.read(lambda tx: tx.events.after(0, job_id="plan"))
    assert (event.kind, event.run_id, event.data["card"]) == ("card_created", "r1", card.id)
