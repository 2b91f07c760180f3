"""The outbox pump: delivers messages on their own time, never at a run's expense."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from rota.engine.environment import clean_environment
from rota.engine.output import Masker
from rota.engine.patience import write_patiently
from rota.model.config import WorkspaceConfig
from rota.model.errors import RotaError, StepError
from rota.model.instants import SECOND, Micros, micros
from rota.model.job import Retry
from rota.model.ledger import Event
from rota.model.message import Message
from rota.planning.retry import delay
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.processes import HostCall
from rota.ports.steps import Services
from rota.ports.store import Store, Tx
from rota.templates import fill_secrets_in

CANDIDATES = 500
AT_ONCE = 40
AT_ONCE_TO_ONE = 5
TIMEOUT = 60.0
# Over 12 to 24 hours: a phone that is off at night still gets its message.
RETRY = Retry(attempts=14, first=60.0, max=4 * 3600.0)
log = structlog.get_logger("rota.outbox")


class Outbox:
    """Sends what is due, a few at a time; a channel that hangs holds up only its own message."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        services: Services,
        *,
        workspace: Path,
        config: Callable[[], WorkspaceConfig],
    ) -> None:
        self._store = store
        self._clock = clock
        self._services = services
        self._workspace = workspace
        self._config = config
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._channels: dict[str, str] = {}

    async def run_once(self) -> Micros | None:
        """Start sending what is due; when the next message is (None: the outbox is empty)."""
        now = self._clock.now()
        for message in self._store.read(lambda tx: tx.outbox.due(now, CANDIDATES)):
            if message.key in self._sending or not self._has_room(message.channel):
                continue
            claimed = await self._store.write(partial(_claim, key=message.key, now=now))
            crash_point("outbox.claimed")
            if claimed is not None:
                task = asyncio.create_task(self._send(claimed), name=f"message {claimed.key}")
                self._sending[claimed.key] = task
                self._channels[claimed.key] = claimed.channel
                task.add_done_callback(partial(self._forget, claimed.key))
        due = self._store.read(lambda tx: tx.outbox.next_due())
        # One that is due and finds no room is looked at again soon, not in a spin.
        return None if due is None else max(due, self._clock.now() + SECOND)

    def _has_room(self, channel: str) -> bool:
        """Whether one more may be on its way there: a channel that hangs must not take every place."""
        busy = list(self._channels.values())
        return len(busy) < AT_ONCE and busy.count(channel) < AT_ONCE_TO_ONE

    def _forget(self, key: str, _task: asyncio.Task[None]) -> None:
        self._sending.pop(key, None)
        self._channels.pop(key, None)

    async def drain(self, grace: float) -> None:
        """Wait for the messages under way; what is not sent by then goes back to the outbox."""
        if self._sending:
            await asyncio.wait(list(self._sending.values()), timeout=grace)
        tasks = list(self._sending.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _send(self, message: Message) -> None:
        masker, link = Masker({}), None
        try:
            masker = Masker(self._services.secrets.known())
            link = self._services.link(message)
            await self._deliver(message, link)
        except asyncio.CancelledError:
            await self._store.write(
                lambda tx: tx.outbox.retry(message.key, "rota was stopped while sending", self._clock.now())
            )
            crash_point("outbox.returned")
            raise
        except Exception as error:  # noqa: BLE001 # a channel that raises must not end the pump
            words = masker.mask_text(str(error) or type(error).__name__)
            # What a channel says may quote the message.
            await self._failed(message, error, (words if link is None else words.replace(link, "***"))[:500])
            return
        crash_point("outbox.sent")
        now = self._clock.now()
        # Else it would be sent again.
        await write_patiently(self._store, self._clock, partial(_sent, message=message, now=now))
        crash_point("outbox.recorded")
        log.info("message_sent", key=message.key, channel=message.channel)

    async def _deliver(self, message: Message, link: str | None) -> None:
        kind = self._services.channels.get(message.channel)
        if kind is None:
            known = ", ".join(sorted(self._services.channels))
            raise StepError(f"no channel `{message.channel}`; there are: {known}", permanent=True)
        config = fill_secrets_in(dict(message.config), self._services.secrets.get)
        about = {
            "job": message.job_id,
            "run": message.run_id,
            "key": message.key,
            "workspace": self._config().name or self._workspace.name,
        }
        body = message.body if link is None else f"{message.body}\n\nOr open: {link}"
        call = HostCall(
            target=kind.target,
            kwargs={"config": config, "title": message.title, "body": body, "about": about},
            env={**clean_environment(self._config()), "ROTA_WORKSPACE": str(self._workspace)},
            cwd=self._workspace,
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._services.hosts.call(call, lambda _stream, _data: None)
        except TimeoutError:
            raise StepError(f"no answer within {TIMEOUT:g} s") from None

    async def _failed(self, message: Message, error: Exception, words: str) -> None:
        permanent = error.permanent if isinstance(error, RotaError) else False
        retry_after = error.retry_after if isinstance(error, StepError) else None
        wait = None if permanent else delay(RETRY, message.attempts, random.random(), retry_after)
        now = self._clock.now()
        not_sent = partial(_not_sent, message=message, words=words, wait=wait, now=now)
        await write_patiently(self._store, self._clock, not_sent)
        crash_point("outbox.not_sent")
        log.warning("message_not_sent", key=message.key, channel=message.channel, error=words, retry_in=wait)


def _claim(tx: Tx, key: str, now: Micros) -> Message | None:
    return tx.outbox.claim(key, now)


def _sent(tx: Tx, message: Message, now: Micros) -> None:
    tx.outbox.sent(message.key, now)
    tx.events.append(Event("message_sent", now, message.job_id, message.run_id, {"channel": message.channel}))


def _not_sent(tx: Tx, message: Message, words: str, wait: float | None, now: Micros) -> None:
    if wait is not None:
        tx.outbox.retry(message.key, words, now + micros(wait))
        return
    tx.outbox.failed(message.key, words, now)
    data = {"channel": message.channel, "error": words}
    tx.events.append(Event("message_failed", now, message.job_id, message.run_id, data))
