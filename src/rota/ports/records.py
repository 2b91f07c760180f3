"""The verbs of what is kept beside jobs and runs: the feed, daemons' lives, places in sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from rota.model.agent import AgentSession
from rota.model.instants import Micros
from rota.model.ledger import DaemonRecord, Event


class EventsTable(Protocol):
    """The append-only feed."""

    def append(self, event: Event) -> int:
        """Its id, which grows."""
        ...

    def after(self, event_id: int, limit: int = 100, *, job_id: str | None = None) -> list[Event]:
        """Those after an id, oldest first."""
        ...

    def latest_at(self) -> Micros | None:
        """When the newest one was written."""
        ...

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` of the first events, as far as they are older than that; how many."""
        ...


class DaemonsTable(Protocol):
    """The lives of the daemons of this workspace."""

    def put(self, record: DaemonRecord) -> None:
        """Insert or replace by id."""
        ...

    def seen(self, daemon_id: str, now: Micros) -> None:
        """It is alive."""
        ...

    def recent(self, limit: int = 20) -> list[DaemonRecord]:
        """Latest start first."""
        ...


class CursorsTable(Protocol):
    """Where a source was left, as JSON-able values by name."""

    def get(self, name: str) -> Any:
        """None when there is none."""
        ...

    def get_many(self, names: Collection[str]) -> Mapping[str, Any]:
        """Those that there are, by name."""
        ...

    def put(self, name: str, value: Any, now: Micros) -> None:
        """Insert or replace."""
        ...


class SessionsTable(Protocol):
    """Conversations with agents, by key."""

    def get(self, key: str) -> AgentSession | None:
        """None when there is none."""
        ...

    def put(self, session: AgentSession) -> None:
        """Insert or replace by key. That of a run goes with the run."""
        ...

    def drop(self, key: str) -> None:
        """Forget one; nothing to do when there is none."""
        ...

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` that belong to no run and were last gone on with before that; how many."""
        ...
