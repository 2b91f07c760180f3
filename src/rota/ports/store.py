"""The state, as the engine and the app see it: one transaction's worth of verbs, grouped by noun.

`Store.write` runs a function over a `Tx` in the writer's next transaction. Functions of many
callers share one commit; each has its own savepoint, so that one that raises undoes only itself.
Such a function is called in the writer's thread, does no I/O of its own, and returns plain values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from rota.ports.bulk import BulkTable
from rota.ports.cards import CardsTable, TakesTable
from rota.ports.deliveries import DeliveriesTable
from rota.ports.looks import LooksTable
from rota.ports.proposals import ProposalsTable, TokensTable
from rota.ports.records import CursorsTable, DaemonsTable, EventsTable, SessionsTable
from rota.ports.spend import SpendTable
from rota.ports.tables import (
    ApprovalsTable,
    JobsTable,
    LedgerTable,
    OutboxTable,
    RunsTable,
    TriggersTable,
)

T = TypeVar("T")


class Tx(Protocol):
    """One transaction. Reads see its own writes."""

    @property
    def jobs(self) -> JobsTable:
        """The registry of jobs."""
        ...

    @property
    def triggers(self) -> TriggersTable:
        """Time triggers."""
        ...

    @property
    def ledger(self) -> LedgerTable:
        """Occurrences."""
        ...

    @property
    def runs(self) -> RunsTable:
        """Runs, steps, attempts."""
        ...

    @property
    def outbox(self) -> OutboxTable:
        """Notifications."""
        ...

    @property
    def approvals(self) -> ApprovalsTable:
        """Questions."""
        ...

    @property
    def events(self) -> EventsTable:
        """The feed."""
        ...

    @property
    def daemons(self) -> DaemonsTable:
        """Lives of daemons."""
        ...

    @property
    def cursors(self) -> CursorsTable:
        """Places in sources."""
        ...

    @property
    def deliveries(self) -> DeliveriesTable:
        """What came in by webhooks."""
        ...

    @property
    def looks(self) -> LooksTable:
        """Triggers that look, and what they have seen."""
        ...

    @property
    def sessions(self) -> SessionsTable:
        """Conversations with agents."""
        ...

    @property
    def spend(self) -> SpendTable:
        """What agents took."""
        ...

    @property
    def proposals(self) -> ProposalsTable:
        """What agents did, or want done."""
        ...

    @property
    def tokens(self) -> TokensTable:
        """Keys to the MCP door."""
        ...

    @property
    def cards(self) -> CardsTable:
        """The board."""
        ...

    @property
    def takes(self) -> TakesTable:
        """Who works on which question."""
        ...

    @property
    def bulk(self) -> BulkTable:
        """The hot verbs over many runs."""
        ...


class Store(Protocol):
    """The state of one workspace."""

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in the next shared commit; return when it is on disk."""
        ...

    def write_now(self, work: Callable[[Tx], T]) -> T:
        """The same for callers without an event loop."""
        ...

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` over a consistent snapshot; it must not write. From any thread."""
        ...

    def version(self) -> int:
        """A number that changes when *another* process commits (PRAGMA data_version)."""
        ...

    def check(self) -> str | None:
        """What is damaged in the state, in one line; None when it is whole. Reads all of it."""
        ...

    def used(self) -> int:
        """Bytes of the state that hold something, without those that were freed and wait for new rows."""
        ...

    async def shrink(self, spare: int) -> int:
        """Give freed space back to the disk, in one short commit, but for `spare` bytes; how many bytes went."""
        ...

    def close(self) -> None:
        """Finish what is queued and close."""
        ...
