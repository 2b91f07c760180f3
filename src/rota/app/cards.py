"""The board, for every door: what is on it, and what people and agents do to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rota.app.answers import user
from rota.app.wiring import App
from rota.engine import board
from rota.engine.board import Doing, Spot, masked
from rota.engine.output import Masker
from rota.model.card import (
    Author,
    AuthorKind,
    Card,
    CardComment,
    CardKind,
    Links,
    card_number,
    column_of,
    overdue,
)
from rota.model.errors import RotaError
from rota.model.instants import Micros
from rota.ports.cards import CardChanges, NewCard
from rota.ports.store import Tx
from rota.schedule import local_time

MOST_ARCHIVED_SHOWN = 200


@dataclass(frozen=True)
class Lane:
    """A column with its cards. `known`: it is one of rota.yaml's `board:`."""

    name: str
    cards: tuple[Card, ...]
    known: bool = True


@dataclass(frozen=True)
class BoardView:
    """The board as it is. `overdue`: the numbers of cards whose time is over."""

    lanes: tuple[Lane, ...]
    archived: int
    overdue: frozenset[int]

    @property
    def total(self) -> int:
        """How many cards are on it, or fit what was asked for."""
        return sum(len(lane.cards) for lane in self.lanes)


@dataclass(frozen=True)
class Wanted:
    """Which cards: those that fit all that is said."""

    column: str | None = None
    tag: str | None = None
    assignee: str | None = None
    text: str | None = None
    overdue: bool = False

    def fits(self, card: Card, late: frozenset[int]) -> bool:
        """Whether a card is one of them; its column is judged elsewhere."""
        said = f"{card.title}\n{card.body}".casefold()
        return (
            (self.tag is None or self.tag.removeprefix("#").casefold() in map(str.casefold, card.tags))
            and (self.assignee is None or (card.assignee or "").casefold() == self.assignee.casefold())
            and (self.text is None or self.text.casefold() in said)
            and (not self.overdue or card.number in late)
        )


EVERY = Wanted()


def at_the_command_line() -> Author:
    """Who types: a person, or the step of a run that started this command."""
    job, run = os.environ.get("ROTA_JOB"), os.environ.get("ROTA_RUN_ID")
    if job and run:
        return Author(job, AuthorKind.JOB, run, job, os.environ.get("ROTA_STEP"))
    return Author(user())


def view(app: App, wanted: Wanted = EVERY) -> BoardView:
    """The board, every column in its order; those that rota.yaml does not have (any more) come last."""
    cards, counts = app.store.read(lambda tx: (tx.cards.open(), tx.cards.counts()))
    here = local_time(app.clock.now(), app.config.timezone)
    late = frozenset(card.number for card in cards if overdue(card.due, here))
    columns = app.config.board.columns
    others = sorted({card.column for card in cards} - set(columns))
    names = (*columns, *others)
    if wanted.column is not None:
        names = (column_of(wanted.column, names),)
    lanes = tuple(
        Lane(
            name,
            tuple(card for card in cards if card.column == name and wanted.fits(card, late)),
            name in columns,
        )
        for name in names
    )
    return BoardView(lanes, counts[1], late)


def archived(app: App, wanted: Wanted = EVERY) -> list[Card]:
    """Cards of the archive, the latest first; MOST_ARCHIVED_SHOWN at most are looked at."""
    found = app.store.read(lambda tx: tx.cards.archived(MOST_ARCHIVED_SHOWN))
    return [card for card in found if wanted.fits(card, frozenset()) and wanted.column in {None, card.column}]


def find(app: App, text: str) -> tuple[Card, list[CardComment]]:
    """The card of that id, and what was said on it. Raises NotFoundError."""
    number = card_number(text)
    return app.store.read(lambda tx: (board.known_card(tx, number), tx.cards.comments(number)))


def create(
    app: App, new: NewCard, by: Author, *, kind: CardKind = CardKind.CARD, links: Links | None = None
) -> tuple[Card, bool]:
    """Make a card; False: the one with that `key` was there. Raises RotaError, NotFoundError, ConflictError."""
    clean, doing = masked(new, app.secrets), _doing(app, by)
    return app.store.write_now(partial(board.create, new=clean, doing=doing, kind=kind, links=links))


def move(
    app: App,
    text: str,
    column: str | None,
    by: Author,
    *,
    top: bool = False,
    before: str | None = None,
    after: str | None = None,
    version: int | None = None,
) -> Card:
    """Put a card into a column (None: the one that it is in), at its end unless said.

    `before`, `after`: another card of the column. Raises NotFoundError; ConflictError where its version is another.
    """
    if sum((top, before is not None, after is not None)) > 1:
        raise RotaError(
            "a card goes to one spot: the top, before a card, or after one", hint="say one of them"
        )
    spot = Spot(
        top,
        None if before is None else card_number(before),
        None if after is None else card_number(after),
    )
    number = card_number(text)
    if number in {spot.before, spot.after}:
        raise RotaError("a card cannot stand beside itself", hint="name another card of the column")
    work = partial(
        board.move, number=number, column=column, doing=_doing(app, by), spot=spot, version=version
    )
    return app.store.write_now(work)


def comment(app: App, text: str, said: str, by: Author) -> tuple[Card, CardComment]:
    """Say something on a card. Raises NotFoundError, RotaError, ConflictError."""
    number, clean = card_number(text), _mask(app, said)

    def work(tx: Tx) -> tuple[Card, CardComment]:
        made = board.comment(tx, number, clean, _doing(app, by))
        return board.known_card(tx, number), made

    return app.store.write_now(work)


def change(app: App, text: str, changes: CardChanges, by: Author, *, version: int | None = None) -> Card:
    """Change what a card says. Raises NotFoundError, RotaError; ConflictError where its version is another."""
    clean = replace(
        changes,
        title=None if changes.title is None else _mask(app, changes.title),
        body=None if changes.body is None else _mask(app, changes.body),
    )
    number, doing = card_number(text), _doing(app, by)
    return app.store.write_now(
        partial(board.change, number=number, changes=clean, doing=doing, version=version)
    )


def archive(app: App, texts: Sequence[str], by: Author) -> list[Card]:
    """Take cards off the board, all of them or none. Raises NotFoundError, ConflictError."""
    numbers = list(dict.fromkeys(card_number(text) for text in texts))
    return app.store.write_now(lambda tx: [board.archive(tx, number, _doing(app, by)) for number in numbers])


def archive_column(app: App, column: str, by: Author, *, before: Micros | None = None) -> list[Card]:
    """Take all cards of a column off the board; only those that nobody touched since `before`."""
    lane = view(app, Wanted(column=column)).lanes[0]

    def work(tx: Tx) -> list[Card]:
        # What was moved or changed since it was looked at is left alone.
        there = {number for number, _ in tx.cards.positions(lane.name)}
        old = [card for card in lane.cards if before is None or card.updated_at < before]
        doing = _doing(app, by)
        return [board.archive(tx, card.number, doing) for card in old if card.number in there]

    return app.store.write_now(work)


def restore(app: App, text: str, by: Author) -> Card:
    """Put a card of the archive back on the board. Raises NotFoundError, ConflictError."""
    return app.store.write_now(partial(board.restore, number=card_number(text), doing=_doing(app, by)))


def remove(app: App, text: str, by: Author) -> Card:
    """Delete a card of the archive for good; the card as it was. Raises NotFoundError, ConflictError."""
    return app.store.write_now(partial(board.remove, number=card_number(text), doing=_doing(app, by)))


def _doing(app: App, by: Author) -> Doing:
    return Doing.at(by, app.clock.now(), app.config)


def _mask(app: App, text: str) -> str:
    return Masker(app.secrets.known()).mask_text(text)


def words_of(author: Author) -> str:
    """Who somebody is, in words: `mara`, `claude (agent, run R)`, `job plan (run R)`."""
    run = f"run {author.run}" if author.run else ""
    if author.kind is AuthorKind.JOB:
        return f"job {author.name}" + (f" ({run})" if run else "")
    if author.kind is AuthorKind.AGENT:
        return f"{author.name} ({', '.join(part for part in ('agent', run) if part)})"
    return author.name


def author_json(author: Author) -> dict[str, Any]:
    """The same for machines."""
    return {
        "name": author.name,
        "kind": author.kind.value,
        "run": author.run,
        "job": author.job,
        "step": author.step,
        "session": author.session,
    }
