"""The board as agents use it: what they ask for, and what they read."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from tests.support.opened import Opened

from rota.app import cards
from rota.app.desk_cards import TOOLS
from rota.model.agent import Actor
from rota.model.card import Author, AuthorKind
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.ports.cards import NewCard

AGENT = Actor("claude", run="r1", job="plan", step="ask", session="s-9")
MARA = Author("mara")


def use(opened: Opened, name: str, **arguments: Any) -> str:
    tool = next(tool for tool in TOOLS if tool.name == name)
    return tool.use(opened.app, arguments, AGENT)


def test_every_tool_says_what_it_takes_and_only_two_look() -> None:
    assert [tool.name for tool in TOOLS if tool.looks] == ["card_list", "card_show"]
    for tool in TOOLS:
        jsonschema.Draft202012Validator.check_schema(tool.parameters)
        assert tool.parameters["additionalProperties"] is False
        assert all(part["description"] for part in tool.parameters["properties"].values()), tool.name
        assert "title" not in tool.parameters
        assert tool.described() == tool.described()
        assert not hasattr(tool.described(), "use")
    create = next(tool for tool in TOOLS if tool.name == "card_create").parameters
    assert "title" in create["properties"], "a card's title is no title of a schema"
    assert create["required"] == ["title"]


def test_an_agent_makes_a_card_moves_it_and_says_so(opened: Opened) -> None:
    assert use(opened, "card_create", title="Test Task") == "Created c1 in inbox: Test Task"
    assert use(opened, "card_move", card="c1", column="Doing") == "c1 is in doing: Test Task"
    assert use(opened, "card_comment", card="#1", text="Halfway.") == "Comment 1 is on c1: Test Task"
    assert use(opened, "card_list") == "doing (1)\n  c1  Test Task  [1 comment]\nEmpty: inbox, todo, done"
    shown = use(opened, "card_show", card="1")
    assert "by claude (agent, run r1)" in shown
    assert shown.endswith("Halfway.")
    card, _comments = cards.find(opened.app, "c1")
    assert card.created_by == Author("claude", AuthorKind.AGENT, "r1", "plan", "ask", "s-9")
    assert card.links.run == "r1"


def test_the_same_key_makes_no_second_card_even_when_a_person_removed_the_first(opened: Opened) -> None:
    use(opened, "card_create", title="Pay", key="invoice-1")
    assert use(opened, "card_create", title="Pay it", key="invoice-1").startswith(
        "Nothing created: c1 has this key"
    )
    cards.archive(opened.app, ["c1"], MARA)
    cards.remove(opened.app, "c1", MARA)
    assert "a person removed it" in use(opened, "card_create", title="Pay", key="invoice-1")
    assert use(opened, "card_list") == "No such card is on the board. Its columns: inbox, todo, doing, done"


def test_a_text_is_replaced_only_by_one_who_knows_it(opened: Opened) -> None:
    cards.create(opened.app, NewCard("Plan", "Mara's own words."), MARA)
    assert "give the version" in use(opened, "card_edit", card="c1", body="Mine.")
    assert use(opened, "card_edit", card="c1", due="2026-11-20", assignee="claude", add_tags=["work"]) == (
        "Changed. c1  Plan  [due 2026-11-20, @claude, #work]"
    )
    with pytest.raises(ConflictError, match="changed meanwhile: you know version 1, it is at 2"):
        use(opened, "card_edit", card="c1", body="Mine.", version=1)
    use(opened, "card_edit", card="c1", body="Ours.", version=2)
    assert cards.find(opened.app, "c1")[0].body == "Ours."
    use(opened, "card_create", title="Empty")
    use(opened, "card_edit", card="c2", body="Mine.")
    assert cards.find(opened.app, "c2")[0].body == "Mine."


def test_wrong_arguments_are_named(opened: Opened) -> None:
    with pytest.raises(RotaError, match="title: Field required") as caught:
        use(opened, "card_create", headline="x")
    assert caught.value.code == "bad_argument"
    assert caught.value.hint is not None
    assert "title, body, column" in caught.value.hint
    with pytest.raises(NotFoundError, match="no column 'later'") as missing:
        use(opened, "card_create", title="x", column="later")
    assert missing.value.hint == "columns: inbox, todo, doing, done"
    with pytest.raises(NotFoundError, match="c9 is no card"):
        use(opened, "card_move", card="c9", column="done")


def test_a_long_list_says_what_it_leaves_out_and_how_to_see_less(opened: Opened) -> None:
    for number in range(103):
        use(opened, "card_create", title=f"Card {number}", due="2026-11-01" if number == 7 else "2027-01-01")
    listed = use(opened, "card_list", column="inbox")
    assert listed.startswith("inbox (103)\n  c1  Card 0")
    assert "... and 3 more" in listed
    assert use(opened, "card_list", overdue=True).startswith(
        "inbox (1)\n  c8  Card 7  [due 2026-11-01, OVERDUE]"
    )
    assert use(opened, "card_list", text="card 42").startswith("inbox (1)\n")


def test_what_agents_write_holds_no_secret(opened: Opened) -> None:
    opened.app.secrets.set("TOKEN", "s3cr3t-value")
    use(opened, "card_create", title="The token is s3cr3t-value", body="s3cr3t-value")
    use(opened, "card_comment", card="c1", text="again: s3cr3t-value")
    use(opened, "card_edit", card="c1", title="s3cr3t-value!")
    opened.app.close()
    for path in (opened.root / ".rota").glob("state.db*"):
        assert b"s3cr3t-value" not in path.read_bytes()
