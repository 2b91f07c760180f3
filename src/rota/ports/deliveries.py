"""The verbs of the state about what came in by webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rota.model.delivery import Delivery, HookCount, Lookup
from rota.model.instants import Micros


class DeliveriesTable(Protocol):
    """Verified requests to hooks; each has its occurrence in the ledger."""

    def add(self, deliveries: Sequence[Delivery]) -> None:
        """Insert; a StoreError when a key or an id is there already."""
        ...

    def known(self, wanted: Sequence[Lookup]) -> list[tuple[str | None, str | None] | None]:
        """For each: delivery and run of the first request like it (either None: it is gone); None: there is none."""
        ...

    def find(self, text: str) -> list[Delivery]:
        """Those whose id starts or ends with `text`, latest first, at most 10."""
        ...

    def of_hook(self, hook: str, limit: int = 50) -> list[Delivery]:
        """Latest first, with how their occurrences ended."""
        ...

    def of_run(self, run_id: str) -> list[Delivery]:
        """Those that a run is for, oldest first."""
        ...

    def put_off(self, run_id: str, not_before: Micros) -> bool:
        """Have the run that gathers deliveries wait until then; False when it has started, or is to end."""
        ...

    def give(self, run_id: str, inputs: Mapping[str, Any]) -> None:
        """Replace the inputs of the run that gathered deliveries; it has not started."""
        ...

    def counts(self) -> list[HookCount]:
        """By hook."""
        ...

    def forget(self, older_than: Micros, limit: int) -> int:
        """Delete headers, query and body of up to `limit` deliveries older than that; how many."""
        ...

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` deliveries older than that; how many."""
        ...
