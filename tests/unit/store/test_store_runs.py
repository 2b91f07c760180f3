from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rota.model.errors import ConflictError, LostClaimError, StoreError
from rota.model.ledger import JobRecord, Occurrence, Outcome
from rota.model.message import Approval
from rota.model.run import FINAL, TRANSITIONS, Attempt, Reason, Run, RunState, StepRun, StepState
from rota.ports.store import Store, Tx

DONE = Reason("done", "all steps succeeded")
LATER = Reason("retry", "tries again later")


def queued(id_: str, at: int = 1, **changes: object) -> Run:
    return replace(Run(id_, "j", RunState.QUEUED, "h", at), **changes)  # type: ignore[arg-type]


def add(store: Store, *runs: Run) -> None:
    def work(tx: Tx) -> None:
        for run in runs:
            tx.runs.add(run)

    store.write_now(work)


def put(store: Store, run: Run, *journal: StepRun | Attempt) -> None:
    def work(tx: Tx) -> None:
        for entry in journal:
            if isinstance(entry, StepRun):
                tx.runs.put_step(run, entry)
            else:
                tx.runs.put_attempt(run, entry)

    store.write_now(work)


def release(store: Store, run: Run, state: RunState = RunState.QUEUED, not_before: int | None = None) -> None:
    store.write_now(lambda tx: tx.runs.release(run, 20, LATER, state=state, not_before=not_before))


def claim(store: Store, run_id: str, owner: str = "me", now: int = 10) -> Run | None:
    return store.write_now(lambda tx: tx.runs.claim(run_id, owner, now, now + 100))


def claimed(store: Store, run_id: str, owner: str = "me", now: int = 10) -> Run:
    run = claim(store, run_id, owner, now)
    assert run is not None
    return run


def finish(store: Store, run: Run, state: RunState = RunState.SUCCEEDED, now: int = 20) -> None:
    store.write_now(lambda tx: tx.runs.finish(run, state, DONE, now, {"answer": 42}))


def ended(store: Store, id_: str, at: int, state: RunState, now: int = 20) -> None:
    add(store, queued(id_, at))
    finish(store, claimed(store, id_), state, now)


def get(store: Store, run_id: str) -> Run:
    run = store.read(lambda tx: tx.runs.get(run_id))
    assert run is not None
    return run


def ids(runs: list[Run]) -> list[str]:
    return [run.id for run in runs]


def test_a_run_comes_back_as_it_was_added(store: Store) -> None:
    run = queued(
        "r1",
        5,
        trigger_id="cron",
        occurrence_key="k",
        due_at=4,
        inputs={"a": {"b": [1, None]}},
        group="g",
        priority=3,
    )
    add(store, run)
    assert get(store, "r1") == run
    assert store.read(lambda tx: tx.runs.get("r")) is None


def test_a_run_begins_queued_and_belongs_to_a_known_job(store: Store) -> None:
    with pytest.raises(ConflictError):
        add(store, queued("r1", state=RunState.RUNNING))
    with pytest.raises(StoreError):
        add(store, queued("r1", job_id="none"))
    with pytest.raises(StoreError):
        add(store, queued("r1", definition="none"))
    assert store.read(lambda tx: tx.runs.recent()) == []


def test_the_life_of_a_run(store: Store) -> None:
    add(store, queued("r1", 5))
    run = claimed(store, "r1", now=10)
    assert (run.state, run.token, run.owner, run.lease_until, run.started_at) == (
        RunState.RUNNING,
        1,
        "me",
        110,
        10,
    )
    assert run == get(store, "r1")
    finish(store, run, now=20)
    end = get(store, "r1")
    assert (end.state, end.reason, end.finished_at, end.outputs) == (
        RunState.SUCCEEDED,
        DONE,
        20,
        {"answer": 42},
    )
    assert (end.owner, end.lease_until) == ("me", None)


def test_of_two_stores_one_claims(open_one: Callable[..., Store], store: Store) -> None:
    other = open_one()
    add(store, queued("r1"))
    assert claimed(store, "r1", "me").token == 1
    assert claim(other, "r1", "you") is None
    assert claim(other, "none", "you") is None


def test_a_waiting_run_is_claimed_when_its_time_has_come(store: Store) -> None:
    add(store, queued("r1"), queued("r2", 2))
    run = claimed(store, "r1", now=10)
    release(store, run, RunState.WAITING, not_before=50)
    waiting = get(store, "r1")
    assert (waiting.state, waiting.owner, waiting.lease_until, waiting.not_before) == (
        RunState.WAITING,
        None,
        None,
        50,
    )
    assert store.read(lambda tx: tx.runs.next_wake()) == 50
    assert ids(store.read(lambda tx: tx.runs.claimable(49, 10))) == ["r2"]
    assert ids(store.read(lambda tx: tx.runs.claimable(50, 10))) == ["r1", "r2"]
    assert claim(store, "r1", now=49) is None
    again = claimed(store, "r1", now=50)
    assert (again.token, again.started_at, again.not_before) == (2, 10, None)
    release(store, again, RunState.WAITING)  # for a person
    assert claim(store, "r1", now=10**9) is None
    assert store.read(lambda tx: tx.runs.next_wake()) is None


def test_a_lost_token_writes_nothing(store: Store) -> None:
    add(store, queued("r1"))
    old = claimed(store, "r1")
    release(store, old)
    new = claimed(store, "r1", "you")
    step = StepRun("r1", "s", 0, StepState.SUCCEEDED)
    attempt = Attempt("r1", "s", 1, StepState.FAILED, 1)
    writes: list[Callable[[], None]] = [
        lambda: finish(store, old),
        lambda: release(store, old),
        lambda: put(store, old, step),
        lambda: put(store, old, attempt),
    ]
    for write in writes:
        with pytest.raises(LostClaimError, match="no longer ours") as caught:
            write()
        assert caught.value.hint
    assert get(store, "r1") == new
    assert store.read(lambda tx: tx.runs.steps("r1")) == []
    finish(store, new)
    with pytest.raises(LostClaimError):
        finish(store, new)  # ended already
    with pytest.raises(LostClaimError):
        put(store, new, step)


@pytest.mark.parametrize("state", list(RunState))
def test_the_transition_table_is_obeyed(store: Store, state: RunState) -> None:
    add(store, queued("r1"))
    run = claimed(store, "r1")
    if state in FINAL:
        with pytest.raises(ConflictError):
            release(store, run, state)
        finish(store, run, state)
    else:
        with pytest.raises(ConflictError):
            finish(store, run, state)
    if state in {RunState.QUEUED, RunState.WAITING}:
        release(store, run, state)
    assert get(store, "r1").state is state
    assert state in TRANSITIONS[RunState.RUNNING]


def test_claimable_is_by_priority_then_age(store: Store) -> None:
    add(
        store,
        queued("low", 1),
        queued("old", 2, priority=5),
        queued("young", 3, priority=5),
        queued("wait", 1, priority=9),
    )
    run = claimed(store, "wait")
    release(store, run, RunState.WAITING, not_before=30)
    assert ids(store.read(lambda tx: tx.runs.claimable(30, 10))) == ["wait", "old", "young", "low"]
    assert ids(store.read(lambda tx: tx.runs.claimable(30, 2))) == ["wait", "old"]


BY_HAND = Reason("cancelled", "cancelled by hand")


def request_cancel(store: Store, run_id: str, reason: Reason = BY_HAND) -> RunState | None:
    return store.write_now(lambda tx: tx.runs.request_cancel(run_id, reason))


def to_end(store: Store) -> list[Run]:
    return store.read(lambda tx: tx.runs.to_end())


def test_a_running_run_is_told_to_end_and_shows_why(store: Store) -> None:
    add(store, queued("r1"))
    running = claimed(store, "r1")
    assert request_cancel(store, "none") is None
    assert request_cancel(store, "r1") is RunState.RUNNING
    assert request_cancel(store, "r1", LATER) is RunState.RUNNING
    assert get(store, "r1").reason == BY_HAND, "the first reason stays"
    assert store.read(lambda tx: tx.runs.cancel_requests("me")) == ["r1"]
    assert store.read(lambda tx: tx.runs.cancel_requests("you")) == []
    assert to_end(store) == []
    finish(store, running, RunState.CANCELLED)
    assert request_cancel(store, "r1") is RunState.CANCELLED
    assert store.read(lambda tx: tx.runs.cancel_requests("me")) == []


def test_what_nobody_executes_starts_no_more_and_waits_for_its_end(store: Store) -> None:
    add(store, queued("r1", 1), queued("r2", 2), queued("r3", 3), queued("r4", 4))
    release(store, claimed(store, "r2"), RunState.WAITING)
    release(store, claimed(store, "r3"), RunState.WAITING, not_before=30)
    states = [request_cancel(store, run_id) for run_id in ("r1", "r2", "r3")]
    assert states == [RunState.QUEUED, RunState.WAITING, RunState.WAITING]
    assert ids(store.read(lambda tx: tx.runs.claimable(50, 10))) == ["r4"]
    assert [claim(store, run_id, now=50) for run_id in ("r1", "r2", "r3")] == [None, None, None]
    assert ids(to_end(store)) == ["r1", "r2", "r3"]
    for run in to_end(store):
        finish(store, run, RunState.CANCELLED)
    assert to_end(store) == []
    assert get(store, "r1").state is RunState.CANCELLED
    with pytest.raises(LostClaimError):
        finish(store, queued("r4", state=RunState.WAITING), RunState.CANCELLED)


def test_a_run_given_back_by_who_was_told_to_end_it_waits_for_its_end(store: Store) -> None:
    add(store, queued("r1"))
    running = claimed(store, "r1")
    request_cancel(store, "r1")
    release(store, running)
    assert claim(store, "r1", now=50) is None
    assert [(run.id, run.reason) for run in to_end(store)] == [("r1", BY_HAND)]


def test_the_journal_of_a_run_that_nobody_executes_is_written_by_its_state_and_token(store: Store) -> None:
    add(store, queued("r1"))
    put(store, queued("r1"), StepRun("r1", "a", 0, StepState.SUCCEEDED))
    claimed(store, "r1")
    with pytest.raises(LostClaimError):
        put(store, queued("r1"), StepRun("r1", "a", 0, StepState.FAILED))
    assert [step.state for step in store.read(lambda tx: tx.runs.steps("r1"))] == [StepState.SUCCEEDED]


def test_leases_and_owners(store: Store) -> None:
    add(store, queued("r1", 1), queued("r2", 2), queued("r3", 3))
    claimed(store, "r2", "me")
    claimed(store, "r1", "me")
    claimed(store, "r3", "you")
    assert store.write_now(lambda tx: tx.runs.renew("me", 999)) == 2
    assert [run.lease_until for run in store.read(lambda tx: tx.runs.running("me"))] == [999, 999]
    assert ids(store.read(lambda tx: tx.runs.running())) == ["r1", "r2", "r3"]
    assert store.write_now(lambda tx: tx.runs.renew("nobody", 999)) == 0


def test_counting_what_runs(store: Store) -> None:
    store.write_now(lambda tx: tx.jobs.put(JobRecord("k", "K", "{}", "h", "file", 1, 1)))
    add(
        store,
        queued("r1", group="g"),
        queued("r2", group="g", job_id="k"),
        queued("r3"),
        queued("r4", group="g"),
    )
    for run_id in ("r1", "r2", "r3"):
        claimed(store, run_id)
    assert store.read(lambda tx: tx.runs.active_counts()) == ({"j": 2, "k": 1}, {"g": 2})


def test_recent_active_latest_and_find(store: Store) -> None:
    store.write_now(lambda tx: tx.jobs.put(JobRecord("k", "K", "{}", "h", "file", 1, 1)))
    add(
        store,
        queued("261121-a1", 1),
        queued("261121-b1", 2),
        queued("261122-a1", 3),
        queued("261122-k1", 3, job_id="k"),
    )
    finish(store, claimed(store, "261121-a1"))

    def recent(
        job_id: str | None = None,
        states: list[RunState] | None = None,
        limit: int = 50,
        since: int | None = None,
    ) -> list[str]:
        return ids(
            store.read(lambda tx: tx.runs.recent(job_id=job_id, states=states, limit=limit, since=since))
        )

    assert recent() == ["261122-k1", "261122-a1", "261121-b1", "261121-a1"]
    assert recent(job_id="j", limit=2) == ["261122-a1", "261121-b1"]
    assert recent(states=[RunState.SUCCEEDED, RunState.FAILED]) == ["261121-a1"]
    assert recent(states=[]) == []
    assert recent(job_id="j", since=2) == ["261122-a1", "261121-b1"]
    assert ids(store.read(lambda tx: tx.runs.active("j"))) == ["261121-b1", "261122-a1"]
    latest = store.read(lambda tx: tx.runs.latest())
    assert {job: run.id for job, run in latest.items()} == {"j": "261122-a1", "k": "261122-k1"}

    def find(text: str) -> list[str]:
        return ids(store.read(lambda tx: tx.runs.find(text)))

    assert find("a1") == ["261122-a1", "261121-a1"]
    assert find("261122") == ["261122-k1", "261122-a1"]
    assert find("%") == []


def test_at_most_ten_are_found(store: Store) -> None:
    add(store, *(queued(f"r{n:02}", n) for n in range(15)))
    assert len(store.read(lambda tx: tx.runs.find("r"))) == 10


def test_the_journal(store: Store) -> None:
    add(store, queued("r1"))
    run = claimed(store, "r1")
    one = StepRun("r1", "b", 0, StepState.RUNNING, 1, 10)
    two = StepRun("r1", "a", 1, StepState.FAILED, 2, 11, 12, 13, LATER, "out\x00put", {"n": 1})
    first = Attempt(
        "r1", "a", 1, StepState.FAILED, 11, 12, 1, LATER, "head", "logs/1", 5_000_000_000, truncated=True
    )
    second = Attempt("r1", "a", 2, StepState.RUNNING, 13)
    put(store, run, two, one, second, first)
    assert store.read(lambda tx: tx.runs.steps("r1")) == [one, two]
    assert store.read(lambda tx: tx.runs.attempts("r1")) == [first, second]
    assert store.read(lambda tx: tx.runs.attempts("r1", "b")) == []
    done = replace(one, state=StepState.SUCCEEDED, finished_at=20, output="ok")
    failed = replace(second, state=StepState.FAILED, finished_at=21, exit_code=2)
    put(store, run, done, failed)
    assert store.read(lambda tx: tx.runs.steps("r1")) == [done, two]
    assert store.read(lambda tx: tx.runs.attempts("r1", "a")) == [first, failed]


def test_an_answer_goes_to_a_waiting_step_of_a_run_that_nobody_holds(store: Store) -> None:
    add(store, queued("r1"))
    run = claimed(store, "r1")
    waiting = [StepRun("r1", name, n, StepState.WAITING, 1, 10) for n, name in enumerate("ab")]
    put(store, run, *waiting)
    a, b = (replace(step, state=StepState.SUCCEEDED, output="yes", finished_at=30) for step in waiting)

    def answer(step: StepRun) -> bool:
        return store.write_now(lambda tx: tx.runs.answer_step("r1", step, 30))

    assert not answer(a)  # the run is held
    release(store, run, RunState.WAITING)
    assert answer(a)
    assert not answer(a)
    assert (get(store, "r1").state, get(store, "r1").reason.code) == (RunState.QUEUED, "answered")
    assert answer(b)  # the second answer, before the run was taken up again
    assert store.read(lambda tx: tx.runs.steps("r1")) == [a, b]
    assert claimed(store, "r1", "you").token == 2


def test_failures_in_a_row_pass_over_what_says_nothing(store: Store) -> None:
    def count() -> int:
        return store.read(lambda tx: tx.runs.failures_in_a_row("j"))

    assert count() == 0
    ended(store, "r1", 1, RunState.FAILED)
    assert count() == 1
    ended(store, "r2", 2, RunState.SUCCEEDED)
    assert count() == 0
    ended(store, "r3", 3, RunState.FAILED)
    ended(store, "r4", 4, RunState.CANCELLED)
    ended(store, "r5", 5, RunState.INTERRUPTED)
    ended(store, "r6", 6, RunState.FAILED)
    add(store, queued("r7", 7))
    assert count() == 2


def test_the_previous_end(store: Store) -> None:
    ended(store, "r1", 1, RunState.FAILED)
    ended(store, "r2", 2, RunState.CANCELLED)
    ended(store, "r3", 3, RunState.SUCCEEDED)

    def previous(before: str) -> Run | None:
        return store.read(lambda tx: tx.runs.previous("j", before))

    assert previous("r3") == get(store, "r1")
    assert previous("r9") == get(store, "r3")
    assert store.read(lambda tx: tx.runs.previous("none", "r1")) is None


def test_prune_takes_the_journal_along_and_leaves_the_ledger(store: Store) -> None:
    add(store, queued("r0", 0))
    run = claimed(store, "r0")
    occurrence = Occurrence("j", "cron", "0", 0, 0, Outcome.RAN, DONE, "r0")
    store.write_now(lambda tx: tx.ledger.add(occurrence))
    put(store, run, StepRun("r0", "s", 0), Attempt("r0", "s", 1, StepState.FAILED, 1))
    store.write_now(lambda tx: tx.approvals.ask(Approval("r0", "s", "approval", "?", 1, "j")))
    finish(store, run, now=20)
    for n in range(1, 5):
        ended(store, f"r{n}", n, RunState.FAILED, now=100 + n)
    add(store, queued("r9", 0))  # not finished, so never pruned

    def prune(*how: int) -> list[str]:
        outdated = store.read(lambda tx: tx.runs.outdated("j", *how))
        store.write_now(lambda tx: tx.runs.prune([*outdated, "r9"]))
        return outdated

    assert prune(10, 0, 10) == []
    assert prune(10, 50, 10) == ["r0"]  # too old
    assert prune(2, 0, 1) == ["r1"]  # beyond the newest two, oldest first, one at a time
    assert prune(2, 0, 10) == ["r2"]
    assert ids(store.read(lambda tx: tx.runs.recent())) == ["r4", "r3", "r9"]
    assert store.read(lambda tx: tx.runs.steps("r0")) == []
    assert store.read(lambda tx: tx.runs.attempts("r0")) == []
    assert store.read(lambda tx: tx.approvals.of("r0")) == []
    assert store.read(lambda tx: tx.ledger.of("j")) == [occurrence]
