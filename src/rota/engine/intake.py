"""From a verified request to its delivery, its occurrence and its run, on disk before anybody is told.

Requests that come while a commit is under way wait and share the next one: a commit costs a disk's fsync,
whatever it holds. Who shares it is decided as late as can be, by the writer as it begins: what came while other
commits were under way (those of the runs, say) comes along.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rota.engine.gathering import Gather, gather
from rota.engine.queueing import IDS, Call, at_rest, new_runs, queue
from rota.model.delivery import Delivery, Lookup
from rota.model.errors import ConflictError
from rota.model.instants import Micros
from rota.model.job import Overlap
from rota.model.ledger import JobRecord, Outcome
from rota.model.run import Reason
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.store import Store, Tx

# Deliveries to a commit, and bytes of bodies: bounds the wait of the first one.
MOST, LARGEST = 256, 4_000_000
# What is on its way to the disk at once; beyond that the sender is asked to come again.
WAITING, WAITING_BYTES = 4000, 64_000_000


@dataclass(frozen=True)
class Arrival:
    """A request that proved itself. `since`: one like it that came after that instant is the same (None: none is)."""

    delivery: Delivery
    call: Call
    since: Micros | None = None
    gather: Gather | None = None


@dataclass(frozen=True)
class Receipt:
    """What is on disk. `run_id` None: it was skipped, for `reason`. `again`: it had been here before."""

    delivery_id: str | None
    run_id: str | None
    reason: Reason
    again: bool = False


class FullError(ConflictError):
    """More waits for the disk than is reasonable."""

    code = "busy"


_Waiting = tuple[Arrival, asyncio.Future[Receipt]]


class Intake:
    """Writes arrivals, many at a time. `on_runs` is called when runs were queued."""

    def __init__(self, store: Store, clock: Clock, on_runs: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._on_runs = on_runs
        self._waiting: deque[_Waiting] = deque()  # the loop appends, the writer's thread takes
        self._is_called = False  # whether a write that has not begun will take what waits
        self._count = self._bytes = 0
        self._writes: set[asyncio.Task[None]] = set()

    async def take(self, arrival: Arrival) -> Receipt:
        """Write it; return when it is on disk. Raises FullError, and StoreError when it cannot be written."""
        size = arrival.delivery.size
        if self._count >= WAITING or self._bytes + size > WAITING_BYTES:
            raise FullError("too much waits for the disk")
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._count += 1
        self._bytes += size
        self._waiting.append((arrival, future))
        self._call()
        return await future

    async def drain(self) -> None:
        """Wait for what is under way."""
        while self._writes:
            await asyncio.wait(self._writes)

    def _call(self) -> None:
        """See to it that what waits is written."""
        if not self._is_called:
            self._is_called = True
            write = asyncio.create_task(self._write())
            self._writes.add(write)
            write.add_done_callback(self._writes.discard)

    async def _write(self) -> None:
        some: list[_Waiting] = []
        crash_point("intake.before_write")
        try:
            receipts = await self._store.write(partial(self._record, some=some))
        except Exception as error:  # noqa: BLE001 # each sender is told, and comes again
            if not some:  # it did not come to its turn
                self._next(some)
            for _, future in some:
                if not future.done():
                    future.set_exception(error)
        else:
            crash_point("intake.after_write")
            for (_, future), receipt in zip(some, receipts, strict=True):
                if not future.done():
                    future.set_result(receipt)
            if any(receipt.run_id is not None and not receipt.again for receipt in receipts):
                self._on_runs()
        self._count -= len(some)
        self._bytes -= sum(arrival.delivery.size for arrival, _ in some)
        if self._waiting:
            self._call()

    def _record(self, tx: Tx, some: list[_Waiting]) -> list[Receipt]:
        """In the writer's thread: write what waits by now, and say in `some` what that was."""
        self._next(some)
        return record(tx, [arrival for arrival, _ in some], self._clock.now()) if some else []

    def _next(self, some: list[_Waiting]) -> None:
        self._is_called = False  # before anything is taken: who comes from now on calls for another write
        size = 0
        while self._waiting and len(some) < MOST:
            size += self._waiting[0][0].delivery.size
            if some and size > LARGEST:
                break
            some.append(self._waiting.popleft())


def new_delivery_id(now: Micros) -> str:
    """`d` before what a run's id looks like, so that the two are told apart."""
    return f"d{IDS.new(now)}"


def record(tx: Tx, arrivals: Sequence[Arrival], now: Micros) -> list[Receipt]:
    """Write those that were not here before: delivery, occurrence, run. A receipt for each, in order."""
    known = tx.deliveries.known([_lookup(arrival) for arrival in arrivals])
    receipts: list[Receipt | None] = [
        None if found is None else Receipt(*found, Reason("known", "it was here before"), again=True)
        for found in known
    ]
    first: dict[tuple[str, ...], int] = {}
    twins: dict[int, int] = {}
    new: list[int] = []
    for place, arrival in enumerate(arrivals):
        if receipts[place] is not None:
            continue
        names = _names(arrival)
        earlier = next((first[name] for name in names if name in first), None)
        if earlier is not None:
            twins[place] = earlier
            continue
        first.update(dict.fromkeys(names, place))
        new.append(place)
    for place, receipt in zip(new, _write(tx, [arrivals[place] for place in new], now), strict=True):
        receipts[place] = receipt
    for place, earlier in twins.items():
        like = receipts[earlier]
        receipts[place] = None if like is None else replace(like, again=True)
    return [receipt for receipt in receipts if receipt is not None]


def _lookup(arrival: Arrival) -> Lookup:
    one = arrival.delivery
    return Lookup(one.hook, one.job_id, one.trigger_id, one.key, one.digest, arrival.since)


def _names(arrival: Arrival) -> list[tuple[str, ...]]:
    """What two requests of one transaction are the same by."""
    one = arrival.delivery
    by_key = (one.job_id, one.trigger_id, one.key)
    return [by_key] if arrival.since is None else [by_key, (one.hook, one.digest)]


def _write(tx: Tx, arrivals: Sequence[Arrival], now: Micros) -> list[Receipt]:
    """Those that go their way without asking about other runs go together."""
    # One statement for all of them: each costs the writer's thread a wait for the interpreter's lock.
    jobs = tx.jobs.get_many({arrival.call.job.id for arrival in arrivals})
    calls = [_as_the_job_is(jobs.get(arrival.call.job.id), arrival.call) for arrival in arrivals]
    free = [
        call
        for arrival, call in zip(arrivals, calls, strict=True)
        if _is_free(call) and arrival.gather is None
    ]
    new = new_runs(free, now)
    written = tx.bulk.queue(new) if free else ()
    runs: dict[tuple[str, str, str | None], str] = {
        (row.job_id, row.trigger_id, row.key): row.run_id for row in new if row.run_id in written
    }
    receipts: list[Receipt] = []
    for arrival, call in zip(arrivals, calls, strict=True):
        run_id: str | None
        if call.verdict is Outcome.RAN and arrival.gather is not None:
            run_id, reason = gather(tx, call, arrival.gather, arrival.delivery.size, now)
        elif _is_free(call):
            run_id, reason = runs.get((call.job.id, call.trigger_id, call.key)), call.reason
        else:
            run, reason = queue(tx, call, now)
            run_id = None if run is None else run.id
        receipts.append(Receipt(arrival.delivery.id, run_id, reason))
    tx.deliveries.add([
        replace(arrival.delivery, run_id=receipt.run_id)
        for arrival, receipt in zip(arrivals, receipts, strict=True)
    ])  # fmt: skip
    return receipts


def _is_free(call: Call) -> bool:
    """Deliveries that wait for their turn do so on disk: there is no end to how many may."""
    return call.verdict is Outcome.RAN and call.job.overlap in {Overlap.ALLOW, Overlap.QUEUE}


def _as_the_job_is(record: JobRecord | None, call: Call) -> Call:
    """The call, skipped where its job starts nothing at present; what came can be replayed."""
    why_not = Reason("removed", "the job was removed") if record is None or record.removed_at else None
    why_not = why_not or (None if record is None else at_rest(record))
    return call if why_not is None else replace(call, verdict=Outcome.SKIPPED, reason=why_not)
