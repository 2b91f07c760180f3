"""The board: what the state keeps of cards, who has taken which prompt, and how steps put cards on the board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rota.model.card import Author, Card, CardComment
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.message import Take


class CardsTable(Protocol):
    """Cards and what was said on them."""

    def next_number(self) -> int:
        """One that no card has had."""
        ...

    def add(self, card: Card) -> None:
        """Insert."""
        ...

    def get(self, number: int) -> Card | None:
        """Also one that is in the archive or removed."""
        ...

    def with_key(self, key: str) -> Card | None:
        """The one that was made with that key, wherever it is now."""
        ...

    def open(self) -> list[Card]:
        """Those on the board, column by column, each in its order."""
        ...

    def archived(self, limit: int) -> list[Card]:
        """Those in the archive, the latest first."""
        ...

    def counts(self) -> tuple[int, int]:
        """How many are on the board, and in the archive."""
        ...

    def positions(self, column: str) -> list[tuple[int, int]]:
        """Number and position of the cards on the board in that column, in its order."""
        ...

    def put_position(self, number: int, position: int) -> None:
        """Move a card within its column; that is no change of the card itself."""
        ...

    def save(self, card: Card, version: int) -> bool:
        """Replace the card that still has that version; False when it has another one, or is not there."""
        ...

    def comment(self, number: int, author: Author, text: str, at: Micros) -> CardComment:
        """Add what somebody says."""
        ...

    def comments(self, number: int) -> list[CardComment]:
        """Oldest first."""
        ...

    def forget_comments(self, number: int) -> None:
        """Delete them all."""
        ...


class TakesTable(Protocol):
    """Who works on the answer to a question of the inbox."""

    def put(self, take: Take) -> None:
        """Insert or replace by (run, step)."""
        ...

    def of(self, run_id: str, step_id: str) -> Take | None:
        """The latest one, over or not."""
        ...

    def all(self) -> list[Take]:
        """Those of every run."""
        ...

    def drop(self, run_id: str, step_id: str) -> None:
        """Forget it."""
        ...


@dataclass(frozen=True)
class Changes:
    """What a card is to be instead; None: as it is. An empty `due` or `assignee` takes it away."""

    title: str | None = None
    body: str | None = None
    tags: Sequence[str] | None = None
    add_tags: Sequence[str] = ()
    drop_tags: Sequence[str] = ()
    due: str | None = None
    assignee: str | None = None


@dataclass(frozen=True)
class NewCard:
    """A card to be made. `column` None: the board's first; `due` as a person writes it; `key`: it is made once."""

    title: str
    body: str = ""
    column: str | None = None
    tags: Sequence[str] = ()
    due: str | None = None
    assignee: str | None = None
    key: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CardChanges:
    """What a card is to be instead; None: as it is. An empty `due` or `assignee` takes it away."""

    title: str | None = None
    body: str | None = None
    tags: Sequence[str] | None = None
    add_tags: Sequence[str] = ()
    drop_tags: Sequence[str] = ()
    due: str | None = None
    assignee: str | None = None


class Board(Protocol):
    """What steps reach of the board."""

    async def create(
        self, card: NewCard, by: Author, config: WorkspaceConfig, timezone: str
    ) -> tuple[Card, bool]:
        """The card, on disk, and whether it is new: the same `key` makes no second one. Raises RotaError."""
        ...
