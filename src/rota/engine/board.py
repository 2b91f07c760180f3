"""The board: cards are made, moved, changed, talked about and put away, each with its event in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from rota.engine.output import Masker
from rota.model.card import (
    BODY_LIMIT,
    COMMENT_LIMIT,
    MOST_CARDS,
    MOST_COMMENTS,
    NAME_LIMIT,
    TITLE_LIMIT,
    Author,
    Card,
    CardComment,
    CardKind,
    Links,
    block,
    card_id,
    column_of,
    due_of,
    line,
    tags_of,
)
from rota.model.config import WorkspaceConfig
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.instants import Micros
from rota.model.ledger import Event
from rota.ports.cards import CardChanges, NewCard
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.steps import SecretSource
from rota.ports.store import Store, Tx
from rota.schedule import local_time

_GAP = 1 << 16  # between neighbours, so that a card can be put between two of them without moving others


@dataclass(frozen=True)
class Doing:
    """One act on the board: who, when, with which columns. `here`: the clocks that a due date is meant on."""

    by: Author
    now: Micros
    columns: Sequence[str]
    here: datetime

    @classmethod
    def at(cls, by: Author, now: Micros, config: WorkspaceConfig, timezone: str | None = None) -> Doing:
        """With the settings of a workspace."""
        return cls(by, now, config.board.columns, local_time(now, timezone or config.timezone))


@dataclass(frozen=True)
class Spot:
    """Where in a column: before or after a card of it, at its top, else at its end."""

    top: bool = False
    before: int | None = None
    after: int | None = None


END = Spot()


def create(
    tx: Tx, new: NewCard, doing: Doing, *, kind: CardKind = CardKind.CARD, links: Links | None = None
) -> tuple[Card, bool]:
    """Make a card, at the end of its column; the one that has its key already, and False, where there is one."""
    key = None if new.key is None else line(new.key, TITLE_LIMIT, "the key of the card")
    known = None if key is None else tx.cards.with_key(key)
    if known is not None:
        return known, False
    if tx.cards.counts()[0] >= MOST_CARDS:
        raise ConflictError(
            f"the board is full: {MOST_CARDS:,} cards are on it",
            hint="put away what is done: rota card archive --column done",
            code="board_full",
        )
    column = doing.columns[0] if new.column is None else column_of(new.column, doing.columns)
    card = Card(
        tx.cards.next_number(),
        line(new.title, TITLE_LIMIT, "the title"),
        column,
        doing.by,
        doing.now,
        doing.now,
        block(new.body, BODY_LIMIT, "the text of the card"),
        _position(tx, column, END),
        kind,
        tags_of(new.tags),
        due_of(new.due, doing.here) if new.due else None,
        line(new.assignee, NAME_LIMIT, "the assignee") if new.assignee else None,
        key=key,
        links=links or Links(run=doing.by.run, step=doing.by.step),
        data=new.data,
    )
    tx.cards.add(card)
    _tell(tx, "card_created", card, doing, column=column)
    return card, True


def move(
    tx: Tx, number: int, column: str | None, doing: Doing, *, spot: Spot = END, version: int | None = None
) -> Card:
    """Put a card into a column (None: the one that it is in), at a spot of it."""
    card = on_board(tx, number, version)
    to = card.column if column is None else column_of(column, doing.columns)
    if to == card.column and spot == END and column is not None:
        return card  # it is there
    moved = _save(tx, replace(card, column=to, position=_position(tx, to, spot, number)), doing)
    _tell(tx, "card_moved", moved, doing, **{"from": card.column, "to": to})
    return moved


def change(tx: Tx, number: int, changes: CardChanges, doing: Doing, *, version: int | None = None) -> Card:
    """Change what a card says."""
    card = on_board(tx, number, version)
    tags = list(card.tags if changes.tags is None else tags_of(changes.tags))
    dropped = tags_of(changes.drop_tags)
    wanted = replace(
        card,
        title=card.title if changes.title is None else line(changes.title, TITLE_LIMIT, "the title"),
        body=card.body if changes.body is None else block(changes.body, BODY_LIMIT, "the text of the card"),
        tags=tags_of([tag for tag in (*tags, *changes.add_tags) if tag not in dropped]),
        due=card.due if changes.due is None else due_of(changes.due, doing.here) if changes.due else None,
        assignee=card.assignee
        if changes.assignee is None
        else line(changes.assignee, NAME_LIMIT, "the assignee")
        if changes.assignee
        else None,
    )
    names = ("title", "body", "tags", "due", "assignee")
    changed = [name for name in names if getattr(wanted, name) != getattr(card, name)]
    if not changed:
        return card
    saved = _save(tx, wanted, doing)
    _tell(tx, "card_changed", saved, doing, changed=changed)
    return saved


def comment(tx: Tx, number: int, text: str, doing: Doing) -> CardComment:
    """Say something on a card; on one in the archive, too."""
    card = known_card(tx, number)
    if card.comments >= MOST_COMMENTS:
        raise ConflictError(
            f"{card.id} has {MOST_COMMENTS:,} comments, and takes no more",
            hint="go on with a new card",
            code="card_full",
        )
    said = block(text, COMMENT_LIMIT, "the comment").strip()
    if not said:
        raise RotaError("the comment is empty", hint="give it a word or more", code="bad_card")
    made = tx.cards.comment(number, doing.by, said, doing.now)
    _tell(tx, "card_commented", card, doing, comment=made.id)
    return made


def archive(tx: Tx, number: int, doing: Doing, *, version: int | None = None) -> Card:
    """Take a card off the board, and keep it."""
    card = on_board(tx, number, version)
    away = _save(tx, replace(card, archived_at=doing.now), doing)
    _tell(tx, "card_archived", away, doing, column=card.column)
    return away


def restore(tx: Tx, number: int, doing: Doing) -> Card:
    """Put a card of the archive back, at the end of its column; of the first one where there is no such column now."""
    card = known_card(tx, number)
    if card.archived_at is None:
        raise ConflictError(f"{card.id} is on the board already", hint=f"rota card show {card.id}")
    column = card.column if card.column in doing.columns else doing.columns[0]
    back = replace(card, archived_at=None, column=column, position=_position(tx, column, END))
    saved = _save(tx, back, doing)
    _tell(tx, "card_restored", saved, doing, column=column)
    return saved


def remove(tx: Tx, number: int, doing: Doing) -> Card:
    """Delete what a card of the archive says, for good. Its number and its key are not used again."""
    card = known_card(tx, number)
    if card.archived_at is None:
        raise ConflictError(
            f"{card.id} is on the board", hint=f"put it away first: rota card archive {card.id}"
        )
    empty = replace(
        card,
        title="",
        body="",
        tags=(),
        due=None,
        assignee=None,
        links=Links(),
        data={},
        removed_at=doing.now,
    )
    _save(tx, empty, doing)
    tx.cards.forget_comments(number)
    tx.events.append(Event("card_removed", doing.now, data={"card": card.id, "by": doing.by.name}))
    return card


def known_card(tx: Tx, number: int) -> Card:
    """The card, on the board or in the archive. Raises NotFoundError."""
    card = tx.cards.get(number)
    if card is None or card.removed_at is not None:
        what = "was removed" if card is not None else "is no card of this board"
        raise NotFoundError(
            f"{card_id(number)} {what}", hint="see `rota board`, or `rota card list --archived`"
        )
    return card


def on_board(tx: Tx, number: int, version: int | None = None) -> Card:
    """The card as it is now. Raises NotFoundError; ConflictError in the archive, or with another version."""
    card = known_card(tx, number)
    if version is not None and version != card.version:
        raise ConflictError(
            f"{card.id} was changed meanwhile: you know version {version}, it is at {card.version}",
            hint=f"look at it again (rota card show {card.id}), then change it",
            code="card_changed",
        )
    if card.archived_at is not None:
        raise ConflictError(f"{card.id} is in the archive", hint=f"rota card restore {card.id}")
    return card


def _save(tx: Tx, card: Card, doing: Doing) -> Card:
    # A writer has the state to itself, so the version that was read just now is the version that is there.
    if not tx.cards.save(replace(card, updated_at=doing.now), card.version):
        raise ConflictError(f"{card.id} was changed meanwhile", hint="try again", code="card_changed")
    return known_card(tx, card.number) if card.removed_at is None else card


def _position(tx: Tx, column: str, spot: Spot, moving: int | None = None) -> int:
    """A position for that spot; the column's cards are spread anew where there is no room."""
    there = [(number, position) for number, position in tx.cards.positions(column) if number != moving]
    index = _index(there, spot, column)
    low = there[index - 1][1] if index > 0 else None
    high = there[index][1] if index < len(there) else None
    if low is None or high is None:
        return (low + _GAP) if low is not None else (high - _GAP) if high is not None else 0
    if high - low > 1:
        return (low + high) // 2
    for place, (number, _position) in enumerate(there):
        tx.cards.put_position(number, 2 * place * _GAP)
    return (2 * index - 1) * _GAP


def _index(there: Sequence[tuple[int, int]], spot: Spot, column: str) -> int:
    """How many cards come before that spot."""
    beside = spot.before if spot.before is not None else spot.after
    if beside is None:
        return 0 if spot.top else len(there)
    for index, (number, _position) in enumerate(there):
        if number == beside:
            return index if spot.before is not None else index + 1
    raise NotFoundError(f"{card_id(beside)} is not in `{column}`", hint="see `rota board`")


def _tell(tx: Tx, kind: str, card: Card, doing: Doing, **more: Any) -> None:
    # Without a word of the card: what is removed from the board is not to live on in the feed.
    by = doing.by
    data = {"card": card.id, "by": by.name, "by_kind": by.kind.value, **more}
    tx.events.append(Event(kind, doing.now, by.job, by.run, data))


class StoredBoard:
    """ports.cards.Board in the state of one workspace; what a step puts on a card has no secrets in it."""

    def __init__(self, store: Store, clock: Clock, secrets: SecretSource) -> None:
        self._store = store
        self._clock = clock
        self._secrets = secrets

    async def create(
        self, card: NewCard, by: Author, config: WorkspaceConfig, timezone: str
    ) -> tuple[Card, bool]:
        """The card, on disk, and whether it is new."""
        doing = Doing.at(by, self._clock.now(), config, timezone)
        made = await self._store.write(partial(create, new=masked(card, self._secrets), doing=doing))
        crash_point("board.card_made")
        return made


def masked(card: NewCard, secrets: SecretSource) -> NewCard:
    """The card without the secrets that a text may have brought along."""
    mask = Masker(secrets.known()).mask_text
    return replace(card, title=mask(card.title), body=mask(card.body), tags=[mask(tag) for tag in card.tags])
