"""The tables of what agents do: conversations, what they took, what they want, their keys; and the board."""

from __future__ import annotations

from sqlalchemy import Index

from rota.store.columns import integer, partial, refers, table, text

# What agents did, or want done. The text of a job's file stands here before it is written.
proposals = table(
    "proposals",
    integer("number", key=True),
    text("deed"),
    text("state"),
    text("job_id", optional=True),  # one that is to be made is in no table yet, so no foreign key
    text("actor"),
    text("title"),
    text("why"),
    text("path", optional=True),
    text("before", optional=True),
    text("after", optional=True),
    text("hash", optional=True),
    text("detail"),
    integer("asked_at"),
    integer("expires_at", optional=True),
    integer("decided_at", optional=True),
    text("decided_by", optional=True),
    text("answer", optional=True),
    text("result"),
)
partial(
    "proposals_pending",
    proposals.c.workspace_id,
    proposals.c.number,
    where=proposals.c.state.in_(["open", "applying"]),
)
Index("proposals_by_time", proposals.c.workspace_id, proposals.c.asked_at)
Index("proposals_of_job", proposals.c.workspace_id, proposals.c.job_id, proposals.c.number)

# Keys to the MCP door; only what they hash to.
agent_tokens = table(
    "agent_tokens",
    text("name", key=True),
    text("digest"),
    text("agent"),
    text("scopes"),
    integer("created_at"),
    integer("expires_at", optional=True),
    integer("used_at", optional=True),
)

# Conversations with agents. `run_id`: of one that a step is at work on, which goes when its run goes.
sessions = table(
    "sessions",
    text("key", key=True),
    text("runner"),
    text("id"),
    text("model", optional=True),
    text("totals"),
    text("grants"),
    text("refused"),
    text("asked"),
    text("said"),
    integer("open"),
    integer("updated_at"),
    text("run_id", optional=True),
    refers("run_id", "runs", "id", cascade=True),
)
_s = sessions.c
partial("sessions_of_run", _s.workspace_id, _s.run_id, where=_s.run_id.is_not(None))
partial("sessions_kept", _s.workspace_id, _s.updated_at, where=_s.run_id.is_(None))
# What agents took. It outlives its run, whose job's row is never deleted. `nano_usd` NULL: the model has no price.
spend = table(
    "spend",
    text("run_id", key=True),
    text("step_id", key=True),
    text("key", key=True),
    text("job_id"),
    integer("attempt"),
    integer("at"),
    text("runner"),
    text("model"),
    integer("input"),
    integer("output"),
    integer("cache_read"),
    integer("cache_write"),
    integer("nano_usd", optional=True),
    integer("client_nano_usd", optional=True),
    integer("turns"),
    integer("worked"),
    refers("job_id", "jobs", "id"),
)
Index("spend_by_job", spend.c.workspace_id, spend.c.job_id, spend.c.at)
Index("spend_by_time", spend.c.workspace_id, spend.c.at)

# Tries of agent steps. The figures: what is set aside while it is open, what it took once it is closed.
accounts = table(
    "accounts",
    text("run_id", key=True),
    text("step_id", key=True),
    integer("attempt", key=True),
    text("job_id"),
    integer("token"),
    text("runner"),
    text("model"),
    integer("opened_at"),
    integer("closed_at", optional=True),
    integer("nano_usd"),
    integer("tokens"),
    integer("turns"),
    integer("worked"),
    text("over", optional=True),
    refers("run_id", "runs", "id", cascade=True),
)
_a = accounts.c
partial("accounts_open", _a.workspace_id, _a.run_id, _a.step_id, _a.attempt, where=_a.closed_at.is_(None))
Index("accounts_by_step", _a.workspace_id, _a.job_id, _a.step_id, _a.opened_at)

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
