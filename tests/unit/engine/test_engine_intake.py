"""From a verified request to its run: once each, many to a commit, and none lost for being one too many."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.world import World

from rota.engine.gathering import Gather
from rota.engine.intake import Arrival, FullError, Intake, Receipt, record
from rota.engine.queueing import Call
from rota.model.delivery import Delivery
from rota.model.errors import StoreError
from rota.model.instants import SECOND
from rota.model.run import Reason, RunState
from rota.ports.store import Store
from rota.spec import from_json
from rota.store import open_store

HOOK = "on: [{webhook: {}}]\nsteps: [{id: a, act: x}]\n"


def arrival(
    world: World, key: str, *, digest: str = "", since: int | None = None, gather: Gather | None = None
) -> Arrival:
    """A request to the hook of the job `j`."""
    stored = world.store.read(lambda tx: tx.jobs.get("j"))
    assert stored is not None
    now = world.clock.now()
    body = f'{{"n": "{key}"}}'
    one = Delivery(f"d-{key}-{now}", "j", "j", "webhook", key, digest or key, now, body=body, size=len(body),
                   headers={"content-type": "application/json"})  # fmt: skip
    call = Call(from_json(stored.definition), stored.hash, "webhook", now, Reason("webhook", "called"), key)
    return Arrival(one, call, since, gather)


def put(world: World, *arrivals: Arrival) -> list[Receipt]:
    return world.store.write_now(lambda tx: record(tx, arrivals, world.clock.now()))


def test_a_delivery_has_its_run_and_its_row_in_the_ledger(world: World) -> None:
    world.job(HOOK)
    (receipt,) = put(world, arrival(world, "k"))
    run = world.store.read(lambda tx: tx.runs.get(receipt.run_id or ""))
    assert run is not None
    assert (run.state, run.occurrence_key, run.trigger_id) == (RunState.QUEUED, "k", "webhook")
    (row,) = world.store.read(lambda tx: tx.ledger.of("j"))
    assert (row.key, row.run_id, row.reason.code) == ("k", receipt.run_id, "webhook")


def test_what_comes_again_has_the_first_ones_run(world: World) -> None:
    world.job(HOOK)
    first, twin = put(world, arrival(world, "k"), arrival(world, "k"))
    (later,) = put(world, arrival(world, "k"))
    assert (first.again, twin.again, later.again) == (False, True, True)
    assert first.run_id == twin.run_id == later.run_id
    assert len(world.store.read(lambda tx: tx.runs.recent())) == 1


def test_the_same_content_under_another_id_is_the_same(world: World) -> None:
    world.job(HOOK)
    first, twin = put(
        world, arrival(world, "k", digest="x", since=0), arrival(world, "other", digest="x", since=0)
    )
    (later,) = put(world, arrival(world, "third", digest="x", since=0))
    assert first.run_id == twin.run_id == later.run_id
    world.clock.advance(60)
    (old,) = put(world, arrival(world, "fourth", digest="x", since=world.clock.now() - SECOND))
    assert (old.again, old.run_id == first.run_id) == (False, False)


def test_a_queue_of_deliveries_has_no_end(world: World) -> None:
    world.job(HOOK)
    receipts = put(world, *(arrival(world, f"k{n}") for n in range(150)))
    receipts += put(world, *(arrival(world, f"l{n}") for n in range(150)))
    assert all(receipt.run_id for receipt in receipts)
    assert len(world.store.read(lambda tx: tx.runs.active("j"))) == 300


def test_a_job_at_rest_records_what_came(world: World) -> None:
    world.job(HOOK)
    world.store.write_now(lambda tx: tx.jobs.pause("j", "x", world.clock.now()))
    (receipt,) = put(world, arrival(world, "k"))
    assert (receipt.run_id, receipt.reason.code) == (None, "paused")
    assert [one.outcome for one in world.store.read(lambda tx: tx.deliveries.of_hook("j"))] == ["skipped"]


def test_gathered_deliveries_start_one_run_when_it_is_quiet(world: World) -> None:
    world.job(HOOK.replace("act: x", "act: '{{ payloads | length }}'"))
    ask = Gather(quiet=10 * SECOND, within=60 * SECOND, most=100)
    (first,) = put(world, arrival(world, "a", gather=ask))
    world.clock.advance(8)
    (second,) = put(world, arrival(world, "b", gather=ask))
    assert first.run_id == second.run_id

    def run_now() -> tuple[RunState, dict[str, object]]:
        run = world.store.read(lambda tx: tx.runs.get(first.run_id or ""))
        assert run is not None
        return run.state, dict(run.inputs)

    world.clock.advance(8)
    asyncio.run(world.settle())
    assert run_now()[0] is RunState.WAITING, "eight seconds are not quiet enough"
    world.clock.advance(3)
    asyncio.run(world.settle())
    state, inputs = run_now()
    assert (state, inputs["payloads"]) == (RunState.SUCCEEDED, [{"n": "a"}, {"n": "b"}])
    (third,) = put(world, arrival(world, "c", gather=ask))
    assert third.run_id != first.run_id


def test_gathering_ends_with_enough_or_after_long_enough(world: World) -> None:
    world.job(HOOK)
    few = Gather(quiet=None, within=60 * SECOND, most=2)
    one, two, three = (put(world, arrival(world, key, gather=few))[0].run_id for key in "abc")
    assert (one == two, two == three) == (True, False)
    world.clock.advance(61)
    asyncio.run(world.settle())
    states = {run.id: run.state for run in world.store.read(lambda tx: tx.runs.recent())}
    assert states == {one: RunState.SUCCEEDED, three: RunState.SUCCEEDED}


def test_a_cancelled_run_gathers_no_more(world: World) -> None:
    world.job(HOOK)
    ask = Gather(quiet=10 * SECOND, within=60 * SECOND, most=100)
    (first,) = put(world, arrival(world, "a", gather=ask))
    world.store.write_now(lambda tx: tx.runs.request_cancel(first.run_id or "", Reason("cancelled", "x")))
    (second,) = put(world, arrival(world, "b", gather=ask))
    assert second.run_id not in {None, first.run_id}


def test_what_waits_for_the_disk_is_bounded(world: World) -> None:
    world.job(HOOK)
    queued: list[None] = []

    async def flood() -> list[Receipt | BaseException]:
        intake = Intake(world.store, world.clock, lambda: queued.append(None))
        large = arrival(world, "large")
        large = replace(large, delivery=replace(large.delivery, size=65_000_000))
        with pytest.raises(FullError):
            await intake.take(large)
        receipts = await asyncio.gather(*(intake.take(arrival(world, f"k{n}")) for n in range(500)))
        await intake.drain()
        return list(receipts)

    receipts = asyncio.run(flood())
    assert len({receipt.run_id for receipt in receipts if isinstance(receipt, Receipt)}) == 500
    assert 0 < len(queued) < 50, "many share a commit"


def test_what_comes_while_another_commit_is_under_way_shares_the_next_one(world: World) -> None:
    world.job(HOOK)
    queued: list[None] = []
    held = threading.Event()

    async def come() -> list[Receipt]:
        intake = Intake(world.store, world.clock, lambda: queued.append(None))
        other = asyncio.create_task(world.store.write(lambda _tx: held.wait(30)))
        await asyncio.sleep(0)
        takes = []
        for n in range(20):
            takes.append(asyncio.create_task(intake.take(arrival(world, f"k{n}"))))
            await asyncio.sleep(0)  # each comes by itself
        held.set()
        assert await other
        return await asyncio.gather(*takes)

    receipts = asyncio.run(come())
    assert len({receipt.run_id for receipt in receipts}) == 20
    assert queued == [None]


def test_who_waits_for_a_locked_state_is_told_and_may_come_again(world: World, tmp_path: Path) -> None:
    path = tmp_path / ".rota" / "state.db"
    world.job(HOOK)

    async def come(store: Store, other: sqlite3.Connection) -> Receipt:
        intake = Intake(store, world.clock, lambda: None)
        other.execute("BEGIN IMMEDIATE")
        calls = (intake.take(arrival(world, f"k{n}")) for n in range(3))
        for said in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(said, StoreError)
        other.execute("ROLLBACK")
        return await intake.take(arrival(world, "k0"))

    with (
        closing(open_store(path, busy_timeout=0.05)) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        receipt = asyncio.run(come(store, other))
    assert receipt.run_id is not None
    assert not receipt.again
    assert len(world.store.read(lambda tx: tx.runs.recent())) == 1
