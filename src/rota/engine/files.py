"""Triggers that look at files: one pass at a time, each trigger by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import structlog

from rota.engine.definitions import Definitions
from rota.engine.news import Finding, Looked, Watching, Written, call_for, screen, write_look
from rota.model.globs import read_glob
from rota.model.instants import SECOND, Micros, micros
from rota.model.ledger import Outcome
from rota.model.looks import FileSign, FileWatch, LookRecord, News
from rota.model.run import Reason, Run
from rota.planning import looks
from rota.planning.looks import MOST_IN_BATCH, FilesOptions, Unsettled
from rota.planning.overlap import MAX_QUEUED
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.looks import WatchedFiles
from rota.ports.store import Store

T = TypeVar("T")
# Seconds between two looks where nothing says that anything changed: a sign of change can get lost.
RESCAN = 60.0
# A look that takes longer than this holds up no other one.
SLOW = 5.0
THREADS = 4
# While findings wait for a place in the job's queue, and after a look that failed.
CROWDED = 5.0
RETRY = 30.0
# The key of a run's inputs that says how often, one after the other, its file changed while a run for it was at work.
AGAIN = "again"
MOST_AGAIN = 1
_RECENT = 50
# Files that one look deals with at most, those that came first before the others.
MOST = 200
log = structlog.get_logger("rota.files")


@dataclass
class _Held:
    """What is kept in memory of a trigger. `due`: when it looks next, on the monotonic clock."""

    due: float = 0.0
    definition: str = ""
    watch: FileWatch | None = None
    unsettled: Unsettled = field(default_factory=Unsettled)
    task: asyncio.Task[None] | None = None


class FileLooks:
    """Looks at the files of every trigger that is due for it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        definitions: Definitions,
        files: WatchedFiles,
        *,
        workspace: Callable[[], Mapping[str, str]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._definitions = definitions
        self._files = files
        self._workspace = workspace
        self._held: dict[tuple[str, str], _Held] = {}
        self._threads: ThreadPoolExecutor | None = None
        self.on_queued: Callable[[], None] = lambda: None

    @property
    def watches(self) -> Collection[FileWatch]:
        """What is looked at."""
        return [held.watch for held in self._held.values() if held.watch is not None]

    def something_changed(self) -> None:
        """Every trigger is due."""
        for held in self._held.values():
            held.due = 0.0

    async def run_once(self) -> Micros | None:
        """Look where it is time to; when to look again (None: there is no such trigger)."""
        records = self._store.read(lambda tx: tx.looks.active("files"))
        names = {(record.job_id, record.trigger_id) for record in records}
        for gone in self._held.keys() - names:
            del self._held[gone]
        if not records:
            return None
        started: list[asyncio.Task[None]] = []
        for record in records:
            held = self._held.setdefault((record.job_id, record.trigger_id), _Held())
            task = self._begin(record, held)
            started += [task] if task is not None else []
        if started:
            await asyncio.wait(started, timeout=SLOW)
        dues = [held.due for held in self._held.values() if held.task is None]
        pause = max(0.0, min(dues, default=SLOW) - self._clock.monotonic())
        return self._clock.now() + micros(min(pause, RESCAN))

    async def settle(self, longest: float) -> None:
        """Passes until no file is still settling, or for that many seconds: for a process that looks only once."""
        until = self._clock.monotonic() + longest
        await self.run_once()
        while any(held.unsettled.since for held in self._held.values()) and self._clock.monotonic() < until:
            await self._clock.sleep(0.25)
            await self.run_once()

    async def stop(self) -> None:
        """End the looks under way."""
        tasks = [held.task for held in self._held.values() if held.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, record: LookRecord, held: _Held) -> asyncio.Task[None] | None:
        if held.task is not None:
            return None
        known = self._store.read(lambda tx: tx.jobs.get(record.job_id))
        if known is None:
            return None
        if self._clock.monotonic() < held.due and held.definition == known.hash:
            return None
        held.task = asyncio.create_task(self._guarded(record, held), name=f"look {record.job_id}")
        return held.task

    async def _guarded(self, record: LookRecord, held: _Held) -> None:
        """One look. What goes wrong with one trigger is its own affair."""
        held.due = self._clock.monotonic() + RESCAN
        try:
            await self._look(record, held)
        except Exception:
            log.exception("look_failed", job=record.job_id, trigger=record.trigger_id, retry_in=RETRY)
            held.due = self._clock.monotonic() + RETRY
        finally:
            held.task = None

    def _watching(self, look: LookRecord) -> Watching | None:
        record = self._store.read(lambda tx: tx.jobs.get(look.job_id))
        if record is None:
            return None
        job = self._definitions.get(record.hash)
        trigger = next((one for one in job.triggers if one.id == look.trigger_id), None)
        return None if trigger is None else Watching(look, record, job, trigger)

    async def _look(self, record: LookRecord, held: _Held) -> None:
        of = self._watching(record)
        if of is None:
            return
        options = FilesOptions.of(of.trigger)
        held.definition, held.watch = of.record.hash, options.watch
        seen, different = await self._in_thread(self._compare, record, options.watch)
        now, at = self._clock.now(), self._clock.monotonic()
        first = record.fingerprint != options.fingerprint
        base: dict[str, FileSign] = {}
        gone: list[str] = []
        if first:
            base, gone = _baseline(of, options, different, seen)
        left = {path: sign for path, sign in different.items() if path not in base and path not in set(gone)}
        held.unsettled.note(left, now, at)
        ready = looks.settled(held.unsettled, options.settle, at)
        if self._is_crowded(of):
            ready, held.due = {}, at + CROWDED
        if not looks.burst_is_over(held.unsettled, len(ready), options, at):
            ready = {}
        if not options.batch:
            ready = looks.first_of(ready, MOST)
        quiet = {path: looks.version_of(digest, sign) for path, sign, digest in await self._digests(base)}
        news, same, lost = await self._news(ready, seen)
        state = replace(record, fingerprint=options.fingerprint, looked_at=now)
        looked = self._looked(of, options, news, state, now)
        looked = replace(looked, quiet={**quiet, **same, **looked.quiet}, gone=[*gone, *looked.gone])
        if first or looked.findings or looked.quiet or looked.gone:
            written = await self._write(looked, now)
            self._after(of, held, written)
            if not written.left and not written.stale:
                held.unsettled.dealt_with(ready.keys() - set(lost), at)
        wait = looks.look_again(held.unsettled, options, at)
        if wait is not None:
            held.due = min(held.due, at + wait)

    def _compare(
        self, record: LookRecord, watch: FileWatch
    ) -> tuple[Mapping[str, str], Mapping[str, FileSign | None]]:
        """What was seen, and what is different now."""
        found = self._files.scan(watch)
        seen = self._store.read(lambda tx: tx.looks.seen(record.job_id, record.trigger_id))
        return seen, looks.differences(seen, found)

    async def _digests(self, signs: Mapping[str, FileSign]) -> list[tuple[str, FileSign, str]]:
        """The content of files, for those that are (still) as they were found."""
        found: list[tuple[str, FileSign, str]] = []
        for path, sign in signs.items():
            digest = await self._in_thread(self._files.digest, path, sign)
            if digest is not None:
                found.append((path, sign, digest))
        return found

    async def _news(
        self, ready: Mapping[str, FileSign | None], seen: Mapping[str, str]
    ) -> tuple[list[News], dict[str, str], list[str]]:
        """What happened; versions whose content is what it was; paths that are not as they were found any more."""
        present = {path: sign for path, sign in ready.items() if sign is not None}
        digests = {path: digest for path, _, digest in await self._digests(present)}
        news: list[News] = []
        same: dict[str, str] = {}
        for path, sign in ready.items():
            known = seen.get(path)
            if sign is None:
                news.append(looks.news_of(path, known, None, ""))
            elif path in digests and known is not None and looks.digest_in(known) == digests[path]:
                same[path] = looks.version_of(digests[path], sign)
            elif path in digests:
                news.append(looks.news_of(path, known, sign, digests[path]))
        return news, same, [path for path in present if path not in digests]

    def _looked(
        self, of: Watching, options: FilesOptions, news: Sequence[News], state: LookRecord, now: Micros
    ) -> Looked:
        """The calls for the news; what nobody asked for, and the job's own output, is taken as seen."""
        own = _own_outputs(of)
        wanted = [one for one in news if one.event in options.events and one.item not in own]
        others = [one for one in news if one not in wanted]
        groups = [[one] for one in wanted]
        if options.batch:
            groups = [list(wanted[i : i + MOST_IN_BATCH]) for i in range(0, len(wanted), MOST_IN_BATCH)]
        recent = (
            self._store.read(lambda tx: tx.runs.recent(job_id=of.record.id, limit=_RECENT)) if groups else []
        )
        own_runs = [run for run in recent if run.trigger_id == of.trigger.id]
        findings = [self._finding(of, group, own_runs, now) for group in groups]
        if wanted:
            said = looks.batch_of(list(wanted), "files").words
            state = replace(state, news_at=now, found=said)
        return Looked(
            record=state,
            short=state,
            definition=of.record.hash,
            findings=findings,
            quiet={one.item: one.version for one in others if one.event != "removed"},
            gone=[one.item for one in others if one.event == "removed"],
        )

    def _is_crowded(self, of: Watching) -> bool:
        """Whether the job's queue takes no more: what is there is not even read then."""
        return len(self._store.read(lambda tx: tx.runs.active(of.record.id))) > MAX_QUEUED

    def _finding(self, of: Watching, group: list[News], runs: Sequence[Run], now: Micros) -> Finding:
        values = [dict(one.value) for one in group]
        news = looks.batch_of(group, "files")
        again = _times_again(runs, group)
        inputs = {"file": values[-1], "files": values, **({AGAIN: again} if again else {})}
        moved = [int(one.version.split(" ")[-1]) for one in group if one.event != "removed"]
        call = call_for(of, news, inputs, now, max(moved, default=now))
        if again > MOST_AGAIN:
            words = f"{news.words} while a run for it was at work, again: taken for the job's own doing"
            call = replace(call, verdict=Outcome.SKIPPED, reason=Reason("own_change", words))
        return Finding(
            screen(self._store, call, of.record.timezone, now, self._workspace),
            {one.item: one.version for one in group if one.event != "removed"},
            tuple(one.item for one in group if one.event == "removed"),
        )

    async def _write(self, looked: Looked, now: Micros) -> Written:
        crash_point("files.before_write")
        written = await self._store.write(partial(write_look, looked=looked, now=now))
        crash_point("files.after_write")
        return written

    def _after(self, of: Watching, held: _Held, written: Written) -> None:
        if written.runs:
            self.on_queued()
            log.info("files_found", job=of.record.id, runs=written.runs, waiting=written.left)
        if written.left or written.stale:
            held.due = min(held.due, self._clock.monotonic() + CROWDED)

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        """In threads of its own: a file system that hangs keeps nobody else from theirs."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "rota-files")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)


def _baseline(
    of: Watching, options: FilesOptions, different: Mapping[str, FileSign | None], seen: Mapping[str, str]
) -> tuple[dict[str, FileSign], list[str]]:
    """At a first look: the files that were there before the job said so, and those that are not meant any more."""
    since = of.record.updated_at
    base = {
        path: sign
        for path, sign in different.items()
        if sign is not None and path not in seen and not options.initial and sign.moved <= since
    }
    globs = [read_glob(pattern) for pattern in options.watch.patterns]
    gone = [path for path in seen if path in different and not any(glob.matches(path) for glob in globs)]
    return base, [path for path in gone if different[path] is None]


def _own_outputs(of: Watching) -> frozenset[str]:
    """The files that the job itself says it writes: they never start it."""
    said = [step.output for step in of.job.steps] + [step.config.get("write") for step in of.job.steps]
    return frozenset(text.removeprefix("./") for text in said if isinstance(text, str))


def _times_again(runs: Sequence[Run], group: Sequence[News]) -> int:
    """How often in a row a file of these changed while a run for it was at work; 0: somebody else's doing.

    `runs`: of this trigger, latest first.
    """
    times = {one.item: int(one.version.split(" ")[-1]) for one in group if one.event != "removed"}
    for run in runs:
        if any(_at_work(run, times, path) for path in _paths(run)):
            return int(run.inputs.get(AGAIN, 0)) + 1
    return 0


def _paths(run: Run) -> list[str]:
    return [str(file.get("path")) for file in run.inputs.get("files", ())]


def _at_work(run: Run, times: Mapping[str, Micros], path: str) -> bool:
    moved = times.get(path)
    if moved is None or run.started_at is None:
        return False
    return run.started_at <= moved <= (run.finished_at or moved) + SECOND
