"""Cards on the workspace's board: what they are, who did something to them, and what may be written on them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from rota.model.agent import Actor
from rota.model.errors import NotFoundError, RotaError
from rota.model.instants import Micros

COLUMNS = ("inbox", "todo", "doing", "done")
TITLE_LIMIT = 200  # characters
BODY_LIMIT = 100_000
COMMENT_LIMIT = 20_000
NAME_LIMIT = 60  # of a column, a tag, an assignee
MOST_TAGS = 20
MOST_COMMENTS = 1_000  # of a card
MOST_CARDS = 5_000  # on the board; those in the archive do not count
_ID = re.compile(r"[cC#]?([1-9][0-9]{0,8})")
_SPAN = re.compile(r"\+?([0-9]{1,4})(d|w)")
_DAYS = {"today": 0, "tomorrow": 1}


class CardKind(StrEnum):
    """What a card is: something to do, something that waits for a person's yes, or for an answer."""

    CARD = "card"
    PROPOSAL = "proposal"
    APPROVAL = "approval"


class AuthorKind(StrEnum):
    """Who somebody is: a person, an agent, or a job (a step of it, or a command that it ran)."""

    PERSON = "person"
    AGENT = "agent"
    JOB = "job"


@dataclass(frozen=True)
class Author:
    """Who made a card, or said something on it. `run`, `job`, `step`: where rota started them."""

    name: str
    kind: AuthorKind = AuthorKind.PERSON
    run: str | None = None
    job: str | None = None
    step: str | None = None
    session: str | None = None

    @classmethod
    def of(cls, actor: Actor) -> Author:
        """An agent, as rota knows it."""
        return cls(actor.name, AuthorKind.AGENT, actor.run, actor.job, actor.step, actor.session)


@dataclass(frozen=True)
class Links:
    """What a card belongs to: a run, a question that a run waits on (its step), a proposal, a page elsewhere."""

    run: str | None = None
    step: str | None = None
    proposal: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Card:
    """A card. `number` is unique in its workspace and never given twice; people write it as `c12`.

    `body` is Markdown. `due`: a date (`2026-12-01`) or a time of that day (`2026-12-01T09:00`) on the workspace's
    clocks. `position` orders a column, the smallest first. `version` grows with each change. `key`: what makes it once.
    `comments`: how many there are. `data`: what its kind needs to know.
    """

    number: int
    title: str
    column: str
    created_by: Author
    created_at: Micros
    updated_at: Micros
    body: str = ""
    position: int = 0
    kind: CardKind = CardKind.CARD
    tags: tuple[str, ...] = ()
    due: str | None = None
    assignee: str | None = None
    version: int = 1
    comments: int = 0
    key: str | None = None
    links: Links = Links()
    data: Mapping[str, Any] = field(default_factory=dict)
    archived_at: Micros | None = None
    removed_at: Micros | None = None

    @property
    def id(self) -> str:
        """What people and agents call it."""
        return card_id(self.number)


@dataclass(frozen=True)
class CardComment:
    """Something said on a card. `id` grows by one."""

    id: int
    author: Author
    text: str
    at: Micros


def card_id(number: int) -> str:
    """`c12`."""
    return f"c{number}"


def card_number(text: str) -> int:
    """The number in `c12`, `12` or `#12`. Raises NotFoundError."""
    found = _ID.fullmatch(text.strip())
    if found is None:
        raise NotFoundError(
            f"{text[:40]!r} is no card", hint="cards are called c1, c2, ...: see `rota board`"
        )
    return int(found[1])


def line(text: str, limit: int, what: str) -> str:
    """The text as one line. Raises RotaError where it is empty or longer than `limit` characters."""
    found = " ".join(text.split())
    if not found:
        raise RotaError(f"{what} is empty", hint="give it a word or more", code="bad_card")
    return _checked(found, limit, what)


def block(text: str, limit: int, what: str) -> str:
    """The text without what is blank at its end. Raises RotaError where it is longer than `limit` characters."""
    return _checked(text.replace("\r\n", "\n").rstrip(), limit, what)


def _checked(text: str, limit: int, what: str) -> str:
    if len(text) > limit:
        raise RotaError(
            f"{what} has {len(text):,} characters; at most {limit:,}",
            hint="put the whole of it into a file, and name the file",
            code="bad_card",
        )
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise RotaError(f"{what} has characters that are no text", hint="take them out", code="bad_card")
    return text


def tags_of(names: Iterable[str]) -> tuple[str, ...]:
    """Tags, each once, in their order: `#home` and `home` are the same. Raises RotaError."""
    found = dict.fromkeys(
        line(name.strip().removeprefix("#"), NAME_LIMIT, "a tag") for name in names if name.strip()
    )
    if len(found) > MOST_TAGS:
        raise RotaError(
            f"a card has {len(found)} tags; at most {MOST_TAGS}", hint="leave some out", code="bad_card"
        )
    for tag in found:
        if "," in tag:
            raise RotaError(f"a tag has no comma in it: {tag!r}", hint="give each by itself", code="bad_card")
    return tuple(found)


def column_of(text: str, columns: Collection[str]) -> str:
    """The column that is meant, whatever its case. Raises NotFoundError with those that there are."""
    wanted = " ".join(text.split()).casefold()
    for column in columns:
        if column.casefold() == wanted:
            return column
    raise NotFoundError(f"there is no column {text[:60]!r}", hint=f"columns: {', '.join(columns)}")


def due_of(text: str, now: datetime) -> str:
    """A due date as it is stored; `now` on the workspace's clocks. Raises RotaError.

    Reads `2026-12-01`, `2026-12-01T09:00` (with an offset, too), `today`, `tomorrow`, `3d`, `2w`.
    """
    said = text.strip().lower()
    span = _SPAN.fullmatch(said)
    if said in _DAYS or span is not None:
        days = _DAYS[said] if span is None else int(span[1]) * (7 if span[2] == "w" else 1)
        return (now.date() + timedelta(days)).isoformat()
    try:
        if "t" not in said and " " not in said:
            return datetime.strptime(said, "%Y-%m-%d").date().isoformat()  # noqa: DTZ007 # a day has no zone
        moment = datetime.fromisoformat(said)
        here = moment if moment.tzinfo is None else moment.astimezone(now.tzinfo)
        return here.replace(tzinfo=None).isoformat(timespec="minutes")
    except (ValueError, OverflowError):
        raise RotaError(
            f"cannot read when {text[:40]!r} is",
            hint="write 2026-12-01, 2026-12-01T09:00, `today`, `tomorrow`, `3d` or `2w`",
            code="bad_due",
        ) from None


def overdue(due: str | None, now: datetime) -> bool:
    """Whether that date has passed, or that time of its day; `now` on the workspace's clocks."""
    if due is None:
        return False
    here = now.replace(tzinfo=None).isoformat(timespec="minutes")
    return due < here[: len("2026-12-01")] if len(due) == len("2026-12-01") else due <= here
