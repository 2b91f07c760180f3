"""What the state is told of plain runs: successes, many to a commit, and beginnings only of those that last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from rota.engine.chains import followed
from rota.engine.patience import write_patiently
from rota.engine.plain_run import PlainRun
from rota.model.instants import Micros
from rota.ports.bulk import PlainBegin, PlainEnd
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.steps import Done
from rota.ports.store import Store, Tx

# Seconds that a success waits for others, so that they share a commit; the second where many runs are at work.
GATHER, GATHER_MORE = 0.001, 0.008
CROWD = 24
# Seconds after which an attempt is no quick one: from then on the state says that it has begun.
SHOWN = 0.05
log = structlog.get_logger("rota.plain")


@dataclass(frozen=True)
class Success:
    """A run that has done its work."""

    plain: PlainRun
    result: Done
    end: PlainEnd


class PlainJournal:
    """`active`: the plain runs that are at work. `rest`: has a success written that is not so simple;
    `ended` is called for each run whose success was written, `on_end` after each commit."""

    def __init__(self, store: Store, clock: Clock, active: Callable[[], Collection[PlainRun]]) -> None:
        self._store = store
        self._clock = clock
        self._active = active
        self._ended: list[Success] = []
        self._writing: asyncio.Task[None] | None = None
        self._showing: asyncio.Task[None] | None = None
        self.rest: Callable[[Success], None] = lambda _success: None
        self.ended: Callable[[PlainRun], None] = lambda _plain: None
        self.on_end: Callable[[], None] = lambda: None

    @property
    def writing(self) -> asyncio.Task[None] | None:
        """Who writes successes, while there are any."""
        return self._writing

    def watch(self) -> None:
        """Something was begun: see whether it lasts."""
        if self._showing is None:
            self._showing = asyncio.create_task(self._show(), name="plain runs that last")

    def succeeded(self, success: Success) -> None:
        """Write it, with those that come meanwhile."""
        success.plain.over = True
        self._ended.append(success)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _show(self) -> None:
        """Tell the state of attempts that last."""
        try:
            while any(not plain.told for plain in self._active()):
                await self._clock.sleep(SHOWN)
                before = self._clock.now() - int(SHOWN * 1e6)
                await self.show(
                    [p for p in self._active() if p.begun_at is not None and p.begun_at <= before]
                )
        except Exception:  # a later write tells that the state cannot be written
            log.exception("beginnings_not_written")
        finally:
            self._showing = None

    async def show(self, plains: Collection[PlainRun]) -> None:
        """Tell the state that their attempts have begun."""
        new = [plain for plain in plains if not plain.told and not plain.over and plain.worker is not None]
        if not new:
            return
        for plain in new:
            plain.told = True
        await self._store.write(partial(_begin, begins=[_begun(plain, self._clock.now()) for plain in new]))
        crash_point("plain.begun")

    async def _write(self) -> None:
        """Write the successes, all that there are at a time."""
        try:
            while self._ended:
                await asyncio.sleep(GATHER if len(self._active()) < CROWD else GATHER_MORE)
                ended, self._ended = self._ended, []
                await self._write_all(ended)
                self.on_end()
        finally:
            self._writing = None

    async def _write_all(self, ended: Sequence[Success]) -> None:
        crash_point("plain.before_success")
        written: Collection[str]
        rest: Collection[str]
        try:
            written, rest = await write_patiently(
                self._store, self._clock, partial(_succeed, ends=[one.end for one in ended])
            )
        except Exception:  # the executor writes each by itself, or says why it cannot be written
            log.exception("successes_not_written", runs=len(ended))
            written, rest = (), {one.plain.run.id for one in ended}
        crash_point("plain.succeeded")
        for one in ended:
            run = one.plain.run
            if run.id in rest:
                self.rest(one)
                continue
            self.ended(one.plain)
            if run.id not in written:
                log.warning("claim_lost", run=run.id, job=run.job_id)


def _begun(plain: PlainRun, now: Micros) -> PlainBegin:
    return PlainBegin(plain.run.id, plain.recipe.step.id, plain.run.token, plain.begun_at or now)


def _begin(tx: Tx, begins: Sequence[PlainBegin]) -> None:
    tx.bulk.begin(begins)


def _succeed(tx: Tx, ends: Sequence[PlainEnd]) -> tuple[Collection[str], Collection[str]]:
    """Ids of the runs whose end was written, and of those that others follow: their end is not so simple."""
    after = followed(tx, {end.job_id for end in ends})
    rest = {end.run_id for end in ends if end.job_id in after}
    return tx.bulk.succeed([end for end in ends if end.run_id not in rest]), rest
