"""Cards and what was said on them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rota.model.card import Author, AuthorKind, Card, CardComment, CardKind, Links
from rota.model.instants import Micros
from rota.store.sql import Row, Session, from_json, list_to_json, to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import card_queries as q
else:
    q = queries("card_queries")


class Cards:
    """The verbs of `ports.cards.CardsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def next_number(self) -> int:
        """One that no card has had."""
        return int(self._session.value(q.LAST_NUMBER) or 0) + 1

    def add(self, card: Card) -> None:
        """Insert."""
        self._session.change(
            q.ADD,
            **_values(card),
            number=card.number,
            created_by=_author_text(card.created_by),
            created_at=card.created_at,
            version=card.version,
            comments=card.comments,
            key=card.key,
        )

    def get(self, number: int) -> Card | None:
        """Also one that is in the archive or removed."""
        row = self._session.one(q.GET, number=number)
        return None if row is None else _card(row)

    def with_key(self, key: str) -> Card | None:
        """The one that was made with that key, wherever it is now."""
        row = self._session.one(q.WITH_KEY, key=key)
        return None if row is None else _card(row)

    def open(self) -> list[Card]:
        """Those on the board, column by column, each in its order."""
        return [_card(row) for row in self._session.all(q.OPEN)]

    def archived(self, limit: int) -> list[Card]:
        """Those in the archive, the latest first."""
        return [_card(row) for row in self._session.all(q.ARCHIVED, limit=limit)]

    def counts(self) -> tuple[int, int]:
        """How many are on the board, and in the archive."""
        return int(self._session.value(q.COUNT_OPEN)), int(self._session.value(q.COUNT_ARCHIVED))

    def positions(self, column: str) -> list[tuple[int, int]]:
        """Number and position of the cards on the board in that column, in its order."""
        return [(number, position) for number, position in self._session.all(q.POSITIONS, lane=column)]

    def put_position(self, number: int, position: int) -> None:
        """Move a card within its column; that is no change of the card itself."""
        self._session.change(q.PUT_POSITION, of_number=number, position=position)

    def save(self, card: Card, version: int) -> bool:
        """Replace the card that still has that version; False when it has another one, or is not there."""
        return self._session.change(q.SAVE, **_values(card), of_number=card.number, of_version=version) == 1

    def comment(self, number: int, author: Author, text: str, at: Micros) -> CardComment:
        """Add what somebody says."""
        self._session.change(q.COUNT_COMMENT, of_number=number, at=at)
        given = self._session.value(q.COMMENT, card=number, author=_author_text(author), body=text, at=at)
        return CardComment(int(given), author, text, at)

    def comments(self, number: int) -> list[CardComment]:
        """Oldest first."""
        rows = self._session.all(q.COMMENTS, card=number)
        return [CardComment(id_, _author(author), text, at) for id_, author, text, at in rows]

    def forget_comments(self, number: int) -> None:
        """Delete them all."""
        self._session.change(q.FORGET_COMMENTS, card=number)
        self._session.change(q.NO_COMMENTS, of_number=number)


def _values(card: Card) -> dict[str, object]:
    """What can change of a card, but for its version and its comments."""
    return {
        "title": card.title,
        "lane": card.column,
        "updated_at": card.updated_at,
        "body": card.body,
        "position": card.position,
        "kind": card.kind,
        "tags": list_to_json(card.tags),
        "due": card.due,
        "assignee": card.assignee,
        "links": to_json(_said(asdict(card.links))),
        "data": to_json(card.data),
        "archived_at": card.archived_at,
        "removed_at": card.removed_at,
    }


def _said(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _author_text(author: Author) -> str:
    return to_json(_said(asdict(author)))


def _author(text: str) -> Author:
    fields = from_json(text)
    return Author(**{**fields, "kind": AuthorKind(fields["kind"])})


def _card(row: Row) -> Card:
    number, title, lane, created_by, created_at, updated_at, body, position, kind, tags, *rest = row
    due, assignee, version, comments, key, links, data, archived_at, removed_at = rest
    return Card(
        number,
        title,
        lane,
        _author(created_by),
        created_at,
        updated_at,
        body,
        position,
        CardKind(kind),
        tuple(json.loads(tags)),
        due,
        assignee,
        version,
        comments,
        key,
        Links(**from_json(links)),
        from_json(data),
        archived_at,
        removed_at,
    )
