"""The statements of `cards.py`."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select, update

from rota.store.core import columns, here, insert, param, statement
from rota.store.schema_board import card_comments, cards

_c, _s = cards.c, card_comments.c
_SELECT = select(*columns(cards)).where(here(cards))
_IS_OPEN = _c.archived_at.is_(None)
_IN_ARCHIVE = _c.archived_at.is_not(None) & _c.removed_at.is_(None)
_OF_CARD = (here(card_comments), _s.card == param("card"))
_FIXED = frozenset({"number", "created_by", "created_at", "version", "comments", "key"})

LAST_NUMBER = statement(lambda: select(func.max(_c.number)).where(here(cards)))
ADD = statement(lambda: insert(cards))
GET = statement(lambda: _SELECT.where(_c.number == param("number")))
WITH_KEY = statement(lambda: _SELECT.where(_c.key == param("key")))
OPEN = statement(lambda: _SELECT.where(_IS_OPEN).order_by(_c.lane, _c.position, _c.number))
ARCHIVED = statement(
    lambda: _SELECT.where(_IN_ARCHIVE).order_by(_c.archived_at.desc(), _c.number.desc()).limit(param("limit"))
)
COUNT_OPEN = statement(lambda: select(func.count()).select_from(cards).where(here(cards), _IS_OPEN))
COUNT_ARCHIVED = statement(lambda: select(func.count()).select_from(cards).where(here(cards), _IN_ARCHIVE))
POSITIONS = statement(
    lambda: (
        select(_c.number, _c.position)
        .where(here(cards), _IS_OPEN, _c.lane == param("lane"))
        .order_by(_c.position, _c.number)
    )
)
PUT_POSITION = statement(
    lambda: (
        update(cards).where(here(cards), _c.number == param("of_number")).values(position=param("position"))
    )
)
SAVE = statement(
    lambda: (
        update(cards)
        .where(here(cards), _c.number == param("of_number"), _c.version == param("of_version"))
        .values(
            {column.name: bindparam(column.name) for column in columns(cards) if column.name not in _FIXED}
            | {"version": _c.version + 1}
        )
    )
)
# The next number of a card's comments: none of them is deleted alone.
COMMENT = statement(
    lambda: insert(
        card_comments,
        id=select(func.coalesce(func.max(_s.id), 0) + 1).where(*_OF_CARD).scalar_subquery(),
    ).returning(_s.id)
)
COUNT_COMMENT = statement(
    lambda: (
        update(cards)
        .where(here(cards), _c.number == param("of_number"))
        .values(comments=_c.comments + 1, updated_at=param("at"))
    )
)
COMMENTS = statement(lambda: select(_s.id, _s.author, _s.body, _s.at).where(*_OF_CARD).order_by(_s.id))
FORGET_COMMENTS = statement(lambda: delete(card_comments).where(*_OF_CARD))
NO_COMMENTS = statement(
    lambda: update(cards).where(here(cards), _c.number == param("of_number")).values(comments=0)
)
