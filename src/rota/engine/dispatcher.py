"""The dispatcher: claims queued runs under the limits, and has them worked on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog

from rota.engine.cancelling import Surroundings, end_unheld
from rota.engine.definitions import Definitions
from rota.engine.executor import Stop
from rota.engine.gathering import gathered
from rota.engine.ownership import LEASE
from rota.engine.plain_recipes import Recipe
from rota.engine.questions import expire
from rota.engine.recovery import give_back
from rota.engine.retries import called_off
from rota.engine.scheduler import AHEAD, CROWD, EACH
from rota.engine.work import Claimed, Work
from rota.model.config import WorkspaceConfig
from rota.model.errors import LostClaimError, StoreError
from rota.model.instants import SECOND, Micros
from rota.model.job import Overlap
from rota.model.run import Reason, Run, RunState
from rota.planning.admission import choose
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.store import Store, Tx

EARLY = AHEAD + CROWD * EACH  # microseconds: how long before its instant the scheduler may queue a run
SPARE = 10  # candidates that are looked at beyond twice the free places, since some may be at a limit
log = structlog.get_logger("rota.dispatcher")


class Dispatcher:
    """Local delivery: the queue is the store, the worker is this process."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        definitions: Definitions,
        work: Work,
        *,
        owner: str,
        workspace: Path,
        config: Callable[[], WorkspaceConfig],
        only: str | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._definitions = definitions
        self._work = work
        self._owner = owner
        self._workspace = workspace
        self._config = config
        self._only = only
        self._calls_alone = False  # whether the head of the queue, as it was last seen, is all calls to hosts
        self.accepting = True
        # Claimed by the scheduler's commit; between that and their start a pass of ours may look at them.
        self._about_to_start: set[str] = set()
        # What the last pass learned of the jobs that can start no more, so that the next one need not read their queues.
        self._full: dict[str, int] = {}
        self._full_since: Micros = 0
        self._limits: dict[str, int] = {}
        self.started = False  # whether the last pass had something to start
        # When the first run is due that this pass found queued ahead of its instant.
        self._instant: Micros | None = None

    async def run_once(self) -> Micros | None:
        """Start what may start, end what is to end; when a waiting run wants to go on (None: none does)."""
        self._instant = None
        await self._end_cancelled()
        await self._take_back()
        expiry = await self._expire()
        if self.accepting:
            await self._claim_and_start(self._candidates())
        wakes = (self._store.read(lambda tx: tx.runs.next_wake()), expiry)
        wake = min((moment for moment in wakes if moment is not None), default=None)
        if wake is not None and wake <= (now := self._clock.now()):
            # Its time has come, and it finds no free place: looked at again soon, not in a spin.
            wake = now + SECOND
        return min((moment for moment in (wake, self._instant) if moment is not None), default=None)

    async def _expire(self) -> Micros | None:
        """Let the runs go on that waited for an answer long enough; when the next one has."""
        upcoming = self._store.read(lambda tx: tx.approvals.next_expiry())
        if upcoming is not None and upcoming <= (now := self._clock.now()):
            await self._store.write(partial(expire, now=now))
            crash_point("dispatcher.expired")
            upcoming = self._store.read(lambda tx: tx.approvals.next_expiry())
        return upcoming

    async def renew(self) -> None:
        """Keep the leases of the active runs alive."""
        if self._work.active:
            until = self._clock.now() + LEASE
            await self._store.write(lambda tx: tx.runs.renew(self._owner, until))

    async def _end_cancelled(self) -> None:
        """End the runs whose end was asked for: the executor those that run here, this loop those that run nowhere."""
        if self._work.active:
            for run_id in self._store.read(lambda tx: tx.runs.cancel_requests(self._owner)):
                self._work.stop(run_id, Stop.CANCEL)
        for run in self._store.read(lambda tx: tx.runs.to_end()):
            around = Surroundings(self._workspace, self._config(), self._definitions)
            try:
                await self._store.write(partial(end_unheld, run=run, around=around, now=self._clock.now()))
            except LostClaimError:
                continue  # another process was first
            except StoreError:
                raise
            except Exception:  # it is tried again; the others need not wait for it
                log.exception("run_not_concluded", run=run.id, job=run.job_id)
                continue
            self._work.ended()
            log.info("run_ended", run=run.id, job=run.job_id, state="cancelled", reason=run.reason.text)

    async def _take_back(self) -> None:
        """Runs that are ours in the store, and that nobody executes (their end could not be written)."""
        if self._store.read(lambda tx: tx.runs.running_count(self._owner)) <= len(self._work.active):
            return  # the usual case, and cheap to tell
        ours = self._store.read(lambda tx: tx.runs.running(self._owner))
        for run in ours:
            if run.id not in self._work.active and run.id not in self._about_to_start:
                reason = Reason(
                    "taken_over", "its end could not be written; it goes on after its last finished step"
                )
                with contextlib.suppress(LostClaimError):
                    back = partial(give_back, run=run, definitions=self._definitions, now=self._clock.now())
                    await self._store.write(partial(back, reason=reason))
                    crash_point("dispatcher.taken_back")

    def _free(self) -> int:
        return self._config().limits.runs - self._work.taken

    def _candidates(self) -> list[Run]:
        """The runs to start now. Looks as far down the queue as it takes: its head may be at a limit."""
        free = self._free()
        if free <= 0:
            return []
        most = free + self._work.ahead
        # Where one job's queue was at the head, a few of it will do.
        now = self._clock.now()
        wanted = SPARE if self._full else SPARE + (most if self._calls_alone else free)
        full = self._store.read(self._still_full)
        # Thousands may wait for one job's turn: they are not read again and again for what stands behind them.
        others = self._store.read(lambda tx: tx.runs.active_jobs()) - full if full else None
        seen: dict[str, Run] = {}
        chosen: list[Run] = []
        while others is None or others:
            runs = self._store.read(partial(_claimable, now=now, limit=wanted, jobs=others))
            everything = len(runs) < wanted
            if self._only is not None:
                runs = [run for run in runs if run.id == self._only]
            runs = self._without_early(runs, now)
            seen |= {run.id: run for run in runs}
            could = self._store.read(partial(self._choose, runs=list(seen.values()), free=most))
            chosen = self._within(could, free)
            if everything or len(chosen) >= free:
                break
            taken = {run.id for run in chosen}
            full |= {run.job_id for run in runs if run.id not in taken}
            others = self._store.read(lambda tx: tx.runs.active_jobs()) - full
            wanted *= 8
        self._full = {job_id: self._limits[job_id] for job_id in full if job_id in self._limits}
        self._full_since = self._full_since if full else now
        self._calls_alone = bool(chosen) and len(chosen) >= free and self._is_call(chosen[-1])
        return chosen

    def _without_early(self, runs: Sequence[Run], now: Micros) -> list[Run]:
        """Those whose instant has come; the others are looked at again when it does."""
        early = [run.due_at for run in runs if run.due_at is not None and _is_early(run, now)]
        self._instant = min((*early, *(() if self._instant is None else (self._instant,))), default=None)
        return [run for run in runs if not _is_early(run, now)]

    def _still_full(self, tx: Tx) -> frozenset[str]:
        """Jobs that were at their limit at the last pass, and still are; now and then they are looked at anew."""
        if not self._full or self._clock.now() - self._full_since > SECOND:
            self._full, self._full_since = {}, self._clock.now()
            return frozenset()
        running, _ = tx.runs.active_counts()
        return frozenset(job_id for job_id, limit in self._full.items() if running.get(job_id, 0) >= limit)

    def _within(self, runs: Sequence[Run], free: int) -> list[Run]:
        """Those that find a place, and calls to hosts beyond: they take none while they wait for their turn."""
        chosen: list[Run] = []
        for run in runs:
            if free > 0 or self._is_call(run):
                chosen.append(run)
                free -= 1
        return chosen

    def _is_call(self, run: Run) -> bool:
        recipe = self._recipe(run)
        return recipe is not None and recipe.call is not None

    def _choose(self, tx: Tx, runs: Sequence[Run], free: int) -> list[Run]:
        by_job, by_group = tx.runs.active_counts()
        job_limits: dict[str, int] = {}
        group_limits: dict[str, int] = {}
        for run in runs:
            try:
                job = self._definitions.get(run.definition, tx)
            except Exception:  # it is started all the same: the executor ends it with the reason
                log.exception("definition_failed", run=run.id, job=run.job_id)
                continue
            limit = job.max_active or (None if job.overlap is Overlap.ALLOW else 1)
            if limit is not None:
                job_limits[run.job_id] = limit
            if job.concurrency is not None:
                group_limits[job.concurrency.group] = self._config().groups.get(
                    job.concurrency.group, job.concurrency.limit
                )
        self._limits = job_limits
        return choose(
            runs,
            free=free,
            running_by_job=by_job,
            running_by_group=by_group,
            job_limits=job_limits,
            group_limits=group_limits,
        )

    async def _claim_and_start(self, runs: Sequence[Run]) -> None:
        """Claim the runs, in one transaction, and have them worked on."""
        self.started = bool(runs)
        if runs:
            claimed = await self._store.write(partial(self._claim, runs=runs, now=self._clock.now()))
            crash_point("dispatcher.claimed")
            self._work.start(claimed)

    @property
    def room(self) -> int:
        """How many more could be claimed now, were all of them calls to hosts."""
        return self._free() + self._work.ahead - len(self._about_to_start)

    def claim_new(self, tx: Tx, runs: Sequence[Run], now: Micros) -> Claimed:
        """Claim what may start of runs that are queued in this transaction: one commit and one wait fewer.

        None where others wait for a place already: it is their turn first.
        """
        free = self._free() - len(self._about_to_start)
        ready = [run for run in runs if run.state is RunState.QUEUED]
        waiting = tx.runs.claimable(now, len(ready) + 1)
        most = free + self._work.ahead
        if not self.accepting or self._only is not None or most <= 0 or len(waiting) > len(ready):
            return Claimed()
        chosen = self._within(self._choose(tx, ready, most), free)
        claimed = self._claim(tx, chosen, now)
        self._about_to_start |= claimed.ids
        return claimed

    def start(self, claimed: Claimed) -> None:
        """Have runs worked on that are due now."""
        self._work.start(claimed, first=True)
        self._about_to_start -= claimed.ids

    async def withdraw(self) -> None:
        """Give back what was claimed just before it is due and, since rota ends, was not started."""
        for run in self._store.read(lambda tx: tx.runs.running(self._owner)) if self._about_to_start else ():
            if run.id in self._about_to_start:
                with contextlib.suppress(LostClaimError):
                    await self._store.write(partial(_release, run=run, now=self._clock.now()))
        self._about_to_start.clear()

    def _claim(self, tx: Tx, runs: Sequence[Run], now: Micros) -> Claimed:
        """Claim them, unless another process has filled the places since the choice."""
        runs = self._choose(tx, [run for run in runs if not called_off(tx, run)], len(runs))
        runs = [gathered(tx, run) for run in runs]
        until = now + LEASE
        recipes = {run.id: recipe for run in runs if (recipe := self._recipe(run)) is not None}
        begun = [run for run in runs if run.id in recipes]
        tokens = tx.bulk.claim([run.id for run in begun], self._owner, now, until) if begun else {}
        alone = [tx.runs.claim(run.id, self._owner, now, until) for run in runs if run.id not in recipes]
        plain = [run.taken_up(tokens[run.id], self._owner, now) for run in begun if run.id in tokens]
        return Claimed(
            tuple(run for run in alone if run is not None), tuple((run, recipes[run.id]) for run in plain)
        )

    def _recipe(self, run: Run) -> Recipe | None:
        try:
            return self._work.recipe(run)
        except Exception:  # the executor ends it with the reason
            log.exception("definition_failed", run=run.id, job=run.job_id)
            return None


def _is_early(run: Run, now: Micros) -> bool:
    """Whether the scheduler has queued it ahead of its instant. Much later is no such thing, but a clock set back."""
    return run.due_at is not None and now < run.due_at <= now + EARLY


def _release(tx: Tx, run: Run, now: Micros) -> None:
    tx.runs.release(run, now, Reason("shutdown", "rota was stopped before it began"))


def _claimable(tx: Tx, now: Micros, limit: int, jobs: frozenset[str] | None) -> list[Run]:
    return tx.runs.claimable(now, limit, jobs)
