"""ports.sources.SourceStates over the store's cursors, and messages about conflicts in the outbox."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from rota.engine.notices import channel_of
from rota.engine.output import Masker
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.message import Message
from rota.ports.clock import Clock
from rota.ports.sources import Conflict, report_of
from rota.ports.steps import SecretSource
from rota.ports.store import Store, Tx


class StoredSourceStates:
    """In the state of one workspace."""

    def __init__(self, store: Store, clock: Clock, secrets: SecretSource) -> None:
        self._store = store
        self._clock = clock
        self._secrets = secrets

    async def get(self, name: str) -> Any:
        """None when there is none."""
        return self._store.read(lambda tx: tx.cursors.get(name))

    async def put(self, kept: Mapping[str, Any]) -> None:
        """Store what a successful pull left, in one commit."""
        now = self._clock.now()

        def work(tx: Tx) -> None:
            for name, value in kept.items():
                tx.cursors.put(name, value, now)

        await self._store.write(work)

    async def failed(self, source: str, message: str) -> None:
        """Add to the source's report that a pull did not work, and why, without secrets."""
        now = self._clock.now()
        text = Masker(self._secrets.known()).mask_text(message)[:500]

        def work(tx: Tx) -> None:
            before = tx.cursors.get(report_of(source)) or {}
            tx.cursors.put(report_of(source), {**before, "failed_at": now, "error": text}, now)

        await self._store.write(work)

    async def tell(self, source: str, conflicts: Sequence[Conflict], config: WorkspaceConfig) -> None:
        """Queue a message about each conflict to each of the workspace's channels, once."""
        now = self._clock.now()
        messages = [message for conflict in conflicts for message in _messages(source, conflict, config, now)]
        if messages:
            await self._store.write(lambda tx: sum(map(tx.outbox.add, messages)))


def _messages(source: str, conflict: Conflict, config: WorkspaceConfig, now: Micros) -> list[Message]:
    about = hashlib.sha256(f"{conflict.path}\0{conflict.version}".encode()).hexdigest()[:16]
    found = []
    for index, notify in enumerate(config.notify):
        kind, settings = channel_of(notify, config)
        message = Message(
            key=f"conflict:{source}:{about}:{index}",
            channel=kind,
            title=f"{source}: a note was changed in two places",
            body=f"{source} has something new for {conflict.path}, which was changed by hand. Your file is as it "
            f"was; what {source} has is beside it, in {conflict.beside}.",
            config=settings,
            created_at=now,
            not_before=now,
        )
        found.append(message)
    return found
