"""The tables of the board, and of who has taken which prompt."""

from __future__ import annotations

from sqlalchemy import Index

from rota.store.schema_parts import integer, partial, refers, table, text

# `lane` is the column that a card is in. A card that was removed keeps its row, empty, so that its number and
# its key are never used again.
cards = table(
    "cards",
    integer("number", key=True),
    text("title"),
    text("lane"),
    text("created_by"),
    integer("created_at"),
    integer("updated_at"),
    text("body"),
    integer("position"),
    text("kind"),
    text("tags"),
    text("due", optional=True),
    text("assignee", optional=True),
    integer("version"),
    integer("comments"),
    text("key", optional=True),
    text("links"),
    text("data"),
    integer("archived_at", optional=True),
    integer("removed_at", optional=True),
)
partial(
    "cards_open",
    cards.c.workspace_id,
    cards.c.lane,
    cards.c.position,
    where=cards.c.archived_at.is_(None),
)
partial(
    "cards_archived",
    cards.c.workspace_id,
    cards.c.archived_at,
    where=cards.c.archived_at.is_not(None) & cards.c.removed_at.is_(None),
)
Index(
    "cards_by_key",
    cards.c.workspace_id,
    cards.c.key,
    unique=True,
    sqlite_where=cards.c.key.is_not(None),
)

card_comments = table(
    "card_comments",
    integer("card", key=True),
    integer("id", key=True),
    text("author"),
    text("body"),
    integer("at"),
    refers("card", "cards", "number", cascade=True),
)

takes = table(
    "takes",
    text("run_id", key=True),
    text("step_id", key=True),
    integer("asked_at"),
    text("taken_by"),
    integer("taken_at"),
    integer("until"),
    refers("run_id", "runs", "id", cascade=True),
)
