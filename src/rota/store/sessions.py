"""Conversations with agents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rota.model.agent import AgentSession, Denial
from rota.model.instants import Micros
from rota.store.sql import Row, Session, from_json, to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import session_queries as q
else:
    q = queries("session_queries")

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Sessions:
    """The verbs of `ports.records.SessionsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, key: str) -> AgentSession | None:
        """None when there is none."""
        row = self._session.one(q.GET, key=key)
        return None if row is None else _conversation(row)

    def put(self, session: AgentSession) -> None:
        """Insert or replace by key. That of a run goes with the run."""
        kind, _, rest = session.key.partition(":")
        self._session.change(
            q.PUT,
            key=session.key,
            runner=session.runner,
            id=session.id,
            model=session.model,
            totals=to_json(session.totals),
            grants=_listed(session.grants),
            refused=_listed(session.refused),
            asked=_listed(session.asked),
            said=session.said,
            open=int(session.open),
            updated_at=session.updated_at,
            run_id=rest.partition(":")[0] if kind == "run" else None,
        )

    def drop(self, key: str) -> None:
        """Forget one; nothing to do when there is none."""
        self._session.change(q.DROP, key=key)

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` that belong to no run and were last gone on with before that; how many."""
        return self._session.change(q.PRUNE, before=older_than, limit=limit)


def _listed(denials: Sequence[Denial]) -> str:
    return _encode([[denial.tool, denial.what] for denial in denials]) if denials else "[]"


def _denials(text: str) -> tuple[Denial, ...]:
    return () if text == "[]" else tuple(Denial(tool, what) for tool, what in json.loads(text))


def _conversation(row: Row) -> AgentSession:
    key, runner, id_, model, totals, grants, refused, asked, said, open_, updated_at, _run_id = row
    return AgentSession(
        key,
        runner,
        id_,
        model,
        from_json(totals),
        _denials(grants),
        _denials(refused),
        _denials(asked),
        said,
        bool(open_),
        updated_at,
    )
