"""Triggers that poll a source: many at a time, each by itself, and nothing written where nothing is new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import structlog

from rota.engine.definitions import Definitions
from rota.engine.environment import clean_environment, values_before_run, workspace_value
from rota.engine.news import Looked, Watching, Written, screen, write_look
from rota.engine.output import Masker
from rota.engine.poll_news import failed, looked, messages, place_in
from rota.engine.queueing import default_params
from rota.model.config import WorkspaceConfig
from rota.model.errors import NotFoundError, RotaError, StepError
from rota.model.instants import SECOND, Micros
from rota.model.ledger import Event
from rota.model.looks import LookRecord
from rota.planning.polls import PollOptions, backoff, failing_words, gap_of, is_to_be_told, next_poll
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.pulling import Asked, pull
from rota.ports.sources import Pulled, report_of
from rota.ports.steps import Services
from rota.ports.store import Store, Tx
from rota.schedule import Schedule, parse

# Polls at once; and how many of them may be of sources that took long last time, so that the others have places.
PLACES = 8
SLOW_PLACES = 4
SLOW = 5 * SECOND
# Seconds: how often what unchanged polls leave is written, all of it in one commit; and what is polled is read again.
NOTE_EVERY = 60 * SECOND
READ_EVERY = 30 * SECOND
# While items wait for a place in the job's queue.
CROWDED = 15 * SECOND
log = structlog.get_logger("rota.polls")


@lru_cache(maxsize=4096)
def _schedule(text: str, timezone: str) -> Schedule:
    return parse(text, timezone)


@dataclass
class _Held:
    """A trigger in memory. `record` may be ahead of the state; `kept`: what is to be noted of its last poll."""

    record: LookRecord
    hash: str
    due: Micros | None
    kept: Mapping[str, Any] = field(default_factory=dict)
    is_ahead: bool = False
    is_slow: bool = False
    task: asyncio.Task[None] | None = None


class Polls:
    """Polls what is due, on their own time."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        definitions: Definitions,
        services: Services,
        *,
        workspace: Path,
        config: Callable[[], WorkspaceConfig],
    ) -> None:
        self._store = store
        self._clock = clock
        self._definitions = definitions
        self._services = services
        self._workspace = workspace
        self._config = config
        self._held: dict[tuple[str, str], _Held] = {}
        self._read_at: Micros | None = None
        self._noted_at: Micros = 0
        self.on_queued: Callable[[], None] = lambda: None
        self.on_ended: Callable[[], None] = lambda: None

    def refresh(self) -> None:
        """The state was changed by somebody else: read again what is to be polled."""
        self._read_at = None

    async def run_once(self) -> Micros | None:
        """Begin what is due, as far as there are places; when to look again (None: nothing is polled)."""
        now = self._clock.now()
        if self._read_at is None or not self._read_at <= now < self._read_at + READ_EVERY:
            self._read(now)
        self._begin(now)
        if now - self._noted_at >= NOTE_EVERY or now < self._noted_at:
            await self.note()
        waits = [held.due for held in self._held.values() if held.task is None and held.due is not None]
        if any(held.is_ahead for held in self._held.values()):
            waits.append(self._noted_at + NOTE_EVERY)
        soonest = min(waits, default=None)
        # One that is due and has no place is begun when another ends, which wakes the loop.
        return None if soonest is None else soonest if soonest > now else now + SECOND

    async def run_dry(self) -> None:
        """Poll what is due now, and wait for it: for a process that looks only once."""
        self._read(self._clock.now(), spread=False)
        begun: set[str] = set()
        while True:
            self._begin(self._clock.now(), begun)
            tasks = [held.task for held in self._held.values() if held.task is not None]
            if not tasks:
                break
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await self.note()

    async def stop(self) -> None:
        """End the polls under way, and note what the others left."""
        tasks = [held.task for held in self._held.values() if held.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self.note()
        except RotaError as error:
            log.warning("polls_not_noted", error=str(error))

    async def note(self) -> None:
        """Write when the polls that found nothing were, all in one commit."""
        self._noted_at = self._clock.now()
        ahead = [held for held in self._held.values() if held.is_ahead]
        if not ahead:
            return
        entries = [(held.record, held.kept) for held in ahead]
        for held in ahead:
            held.is_ahead, held.kept = False, {}
        await self._store.write(partial(_note, entries=entries, now=self._noted_at))
        crash_point("polls.noted")

    # What there is

    def _read(self, now: Micros, *, spread: bool = True) -> None:
        def look(tx: Tx) -> list[tuple[LookRecord, str]]:
            hashes = {record.id: record.hash for record in tx.jobs.all()} if tx.looks.active("poll") else {}
            return [(one, hashes.get(one.job_id, "")) for one in tx.looks.active("poll")]

        known = self._store.read(look)
        self._read_at = now
        for gone in self._held.keys() - {(record.job_id, record.trigger_id) for record, _ in known}:
            held = self._held.pop(gone)
            if held.task is not None:
                held.task.cancel()
        for record, hash_ in known:
            key = (record.job_id, record.trigger_id)
            before = self._held.get(key)
            if before is None:
                due = self._due(record, hash_, now, overdue=len(known) if spread else 0)
                self._held[key] = _Held(record, hash_, due)
            elif before.task is None:
                if (record.looked_at or 0) > (before.record.looked_at or 0):
                    before.record, before.is_ahead = record, False  # another process has polled meanwhile
                elif before.hash == hash_:
                    continue
                before.hash = hash_
                before.due = self._due(before.record, hash_, now, overdue=1)

    def _due(self, record: LookRecord, hash_: str, now: Micros, *, overdue: int) -> Micros | None:
        try:
            of = self._watching(record, hash_)
            return next_poll(record, self._rhythm(of), now, overdue=overdue)
        except Exception:  # one bad trigger must not end the loop
            log.exception("trigger_failed", job=record.job_id, trigger=record.trigger_id)
            return None

    def _watching(self, look: LookRecord, hash_: str) -> Watching:
        record = self._store.read(lambda tx: tx.jobs.get(look.job_id))
        job = self._definitions.get(hash_)
        trigger = next((one for one in job.triggers if one.id == look.trigger_id), None)
        if record is None or trigger is None:
            raise NotFoundError(f"job `{look.job_id}` has no trigger `{look.trigger_id}`")
        return Watching(look, record, job, trigger)

    def _rhythm(self, of: Watching) -> Schedule:
        return _schedule(PollOptions.of(of.trigger).schedule, of.record.timezone)

    # One poll

    def _begin(self, now: Micros, begun: set[str] | None = None) -> None:
        """Begin what is due. `begun`: names of polls, each of which is begun once at most."""
        busy = [held for held in self._held.values() if held.task is not None]
        free, free_slow = PLACES - len(busy), SLOW_PLACES - sum(held.is_slow for held in busy)
        due = [
            held
            for held in self._held.values()
            if held.task is None and held.due is not None and held.due <= now
        ]
        for held in sorted(due, key=lambda one: one.due or 0):
            if free <= 0:
                return
            if held.is_slow and free_slow <= 0:
                continue
            name = f"poll {held.record.job_id} {held.record.trigger_id}"
            if begun is not None and name in begun:
                continue
            if begun is not None:
                begun.add(name)
            free, free_slow = free - 1, free_slow - held.is_slow
            held.task = asyncio.create_task(self._guarded(held), name=name)

    async def _guarded(self, held: _Held) -> None:
        """One poll. What goes wrong with one source is its own affair."""
        try:
            await self._poll(held)
        except Exception:
            log.exception("poll_failed", job=held.record.job_id, trigger=held.record.trigger_id)
            held.due = self._clock.now() + READ_EVERY
        finally:
            held.task = None
            self.on_ended()

    async def _poll(self, held: _Held) -> None:
        of = self._watching(held.record, held.hash)
        options, began = PollOptions.of(of.trigger), self._clock.now()
        try:
            async with asyncio.timeout(options.timeout) as deadline:
                pulled = await pull(self._asked(of, began), self._services, self._config(), _no_log)
        except TimeoutError:
            words = f"no answer within {options.timeout:g} s" if deadline.expired() else "TimeoutError"
            await self._failed(held, of, StepError(words, code="timeout"))
        except RotaError as error:
            await self._failed(held, of, error)
        except Exception as error:  # noqa: BLE001 # a raising source must not end the loop
            await self._failed(held, of, StepError(f"{type(error).__name__}: {error}"))
        else:
            await self._worked(held, of, pulled)
        held.is_slow = self._clock.now() - began >= SLOW
        held.due = self._due(held.record, held.hash, self._clock.now(), overdue=1)
        if held.record.partial:
            held.due = min(held.due or began, self._clock.now() + CROWDED)

    def _asked(self, of: Watching, now: Micros) -> Asked:
        config, zone = self._config(), of.record.timezone
        values = values_before_run(
            of.job,
            inputs={"params": default_params(of.job)},
            key=None,
            due_at=None,
            now=now,
            timezone=zone,
            workspace=workspace_value(self._workspace, config),
            previous=None,
        )
        return Asked(
            name=of.trigger.text,
            workspace=self._workspace,
            timezone=zone,
            consumer=f"{of.record.id}@{of.trigger.id}",
            keys=of.trigger.options.get("source", {}),
            values=values,
            env={**clean_environment(config), "ROTA_WORKSPACE": str(self._workspace)},
            news_only=not of.look.partial,  # else what the last look left is among the items
        )

    async def _worked(self, held: _Held, of: Watching, pulled: Pulled) -> None:
        now, place = self._clock.now(), place_in(pulled, of.trigger.text)
        before, partly = self._store.read(lambda tx: _known(tx, of.look, place))
        workspace = partial(workspace_value, self._workspace, self._config())
        found = looked(
            of,
            pulled,
            before=before.get("seen", {}),
            partly=partly,
            config=self._config(),
            masker=Masker(self._services.secrets.known()),
            screened=lambda call: screen(self._store, call, of.record.timezone, now, workspace),
            now=now,
        )
        if not found.findings and not _is_worth_a_commit(of.look, found.record, pulled):
            report = {report_of(of.trigger.text): pulled.kept.get(report_of(of.trigger.text))}
            moved = pulled.kept.get(place) != before
            held.kept = dict(pulled.kept) if moved else report
            held.record, held.is_ahead = found.record, True
            return
        written = await self._write(found, now)
        if written.stale:
            self.refresh()  # the job was changed meanwhile: what it says now is polled next
            return
        held.record, held.is_ahead, held.kept = (found.short if written.left else found.record), False, {}
        if written.runs or found.messages:
            self.on_queued()
        if written.runs:
            log.info("poll_found", job=of.record.id, runs=written.runs, waiting=written.left)

    async def _write(self, found: Looked, now: Micros) -> Written:
        crash_point("polls.before_write")
        written = await self._store.write(partial(write_look, looked=found, now=now))
        crash_point("polls.after_write")
        return written

    async def _failed(self, held: _Held, of: Watching, error: RotaError) -> None:
        now, config = self._clock.now(), self._config()
        text = Masker(self._services.secrets.known()).mask_text(str(error))
        if error.hint:
            text += f" (hint: {error.hint})"
        wait = backoff(
            of.look.failures + 1, gap_of(self._rhythm(of), now), getattr(error, "retry_after", None)
        )
        record = failed(of.look, text, wait, now)
        told = []
        if is_to_be_told(record, now, permanent=isinstance(error, StepError) and error.permanent):
            record = replace(record, told=True)
            told = messages(replace(of, look=record), "failing", failing_words(record, now), config, now)
        log.warning(
            "source_failed", job=record.job_id, source=record.text, failures=record.failures, error=text
        )
        event = Event("poll_failed", now, record.job_id, None, {"source": record.text, "error": text})

        def work(tx: Tx) -> None:
            if tx.looks.save(record):
                for message in told:
                    tx.outbox.add(message)
                if record.failures == 1:
                    tx.events.append(event)

        await self._store.write(work)
        crash_point("polls.failed")
        held.record, held.is_ahead, held.kept = record, False, {}
        if told:
            self.on_queued()


def _is_worth_a_commit(before: LookRecord, after: LookRecord, pulled: Pulled) -> bool:
    """Whether a poll without a call leaves something that a crash should not undo."""
    return bool(before.fingerprint != after.fingerprint or before.failures or before.partial or pulled.new)


def _known(tx: Tx, record: LookRecord, place: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    partly = tx.looks.seen(record.job_id, record.trigger_id) if record.partial else {}
    return tx.cursors.get(place) or {}, partly


def _note(tx: Tx, entries: list[tuple[LookRecord, Mapping[str, Any]]], now: Micros) -> None:
    for record, kept in entries:
        if tx.looks.save(record):
            for name, value in kept.items():
                tx.cursors.put(name, value, now)


def _no_log(_stream: str, _data: bytes) -> None:
    """What a source prints is nobody's."""
