from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rota.model.ledger import JobRecord, Occurrence, Outcome
from rota.model.run import Attempt, Reason, Run, RunState, StepRun, StepState
from rota.ports.bulk import NewRun, PlainBegin, PlainEnd
from rota.ports.store import Store

DUE = Reason("due", "on time")


@pytest.fixture(autouse=True)
def job(store: Store) -> None:
    store.write_now(lambda tx: tx.jobs.put(JobRecord("j", "j", "{}", "h", "file", 1, 1)))


def call(name: str, *, key: str | None = None) -> tuple[Occurrence, Run]:
    run = Run(
        name, "j", RunState.QUEUED, "h", 5, "cron", key or name, 4, DUE, {"params": {"a": 'ü"\n'}}, "g", 2
    )
    return Occurrence("j", "cron", key or name, 4, 5, Outcome.RAN, DUE, name), run


def new(*calls: tuple[Occurrence, Run]) -> list[NewRun]:
    return [
        NewRun(
            run.id, run.job_id, run.trigger_id, one.key, one.due_at, one.noticed_at, one.outcome, one.reason.code,
            one.reason.text, one.until, one.count, run.state, run.definition, run.queued_at, run.reason.code,
            run.reason.text, json.dumps(run.inputs), run.group, run.priority, run.not_before,
        )
        for one, run in calls
    ]  # fmt: skip


def queue(store: Store, *names: str) -> set[str]:
    return set(store.write_now(lambda tx: tx.bulk.queue(new(*map(call, names)))))


def end(run_id: str, token: int = 1) -> PlainEnd:
    return PlainEnd(
        run_id, token, "j", "s", 21, 22, "said", '{"n":1}', '{"output":"said"}', 0, "sa", "log/x", 4, 1
    )


def test_what_is_queued_at_once_is_as_if_queued_one_by_one(store: Store) -> None:
    occurrence, run = call("a")

    def one_by_one(tx: object) -> None:
        tx.ledger.add(replace(occurrence, key="k", run_id="b"))  # type: ignore[attr-defined]
        tx.runs.add(replace(run, id="b", occurrence_key="k"))  # type: ignore[attr-defined]

    store.write_now(one_by_one)
    assert queue(store, "a") == {"a"}
    stored = store.read(lambda tx: tx.runs.get("a"))
    assert stored == run
    assert stored == replace(store.read(lambda tx: tx.runs.get("b")) or run, id="a", occurrence_key="a")
    rows = store.read(lambda tx: tx.ledger.of("j"))
    assert {row.key for row in rows} == {"a", "k"}
    assert next(row for row in rows if row.key == "a") == occurrence
    events = store.read(lambda tx: tx.events.after(0))
    assert [(event.kind, event.run_id, event.data) for event in events] == [("run_queued", "a", {"key": "a"})]


@pytest.mark.parametrize("count", [1, 8, 9, 511, 512, 513, 1100])
def test_however_many_are_written_at_once_each_is_there_once(store: Store, count: int) -> None:
    names = [f"r{number:04}" for number in range(count)]
    assert queue(store, *names) == set(names)
    store.write_now(lambda tx: tx.bulk.claim(names, "me", 11, 99))
    assert set(store.write_now(lambda tx: tx.bulk.succeed([end(name) for name in names]))) == set(names)
    rows = store.read(lambda tx: tx.ledger.of("j", limit=5000))
    assert sorted(row.run_id or "" for row in rows) == names
    runs = store.read(lambda tx: tx.runs.recent(job_id="j", limit=5000))
    assert sorted(run.id for run in runs) == names
    assert {run.state for run in runs} == {RunState.SUCCEEDED}
    events = store.read(lambda tx: tx.events.after(0, limit=5000))
    assert [event.kind for event in events] == ["run_queued"] * count + ["run_succeeded"] * count
    assert len(store.read(lambda tx: tx.runs.attempts(names[-1]))) == 1


def test_an_occurrence_that_is_known_gets_no_second_run(store: Store) -> None:
    queue(store, "a")
    again = (call("x", key="a"), call("b"))
    assert set(store.write_now(lambda tx: tx.bulk.queue(new(*again)))) == {"b"}
    assert store.read(lambda tx: tx.runs.get("x")) is None


def test_only_what_is_there_to_be_claimed_is_begun(store: Store) -> None:
    queue(store, "a", "b", "c")
    store.write_now(lambda tx: tx.runs.claim("b", "other", 10, 20))
    tokens = store.write_now(lambda tx: tx.bulk.claim(["a", "b", "c"], "me", 11, 99))
    assert tokens == {"a": 1, "c": 1}
    run = store.read(lambda tx: tx.runs.get("a"))
    assert run is not None
    assert (run.state, run.owner, run.lease_until, run.started_at) == (RunState.RUNNING, "me", 99, 11)
    assert store.read(lambda tx: tx.runs.steps("a")) == []


def test_what_lasts_is_seen_to_have_begun_while_it_is_ours(store: Store) -> None:
    queue(store, "a", "b")
    store.write_now(lambda tx: tx.bulk.claim(["a", "b"], "me", 11, 99))
    store.write_now(lambda tx: tx.bulk.begin([PlainBegin("a", "s", 1, 12), PlainBegin("b", "s", 7, 12)]))
    assert store.read(lambda tx: tx.runs.steps("a")) == [StepRun("a", "s", 0, StepState.RUNNING, 1, 12)]
    assert store.read(lambda tx: tx.runs.attempts("a")) == [Attempt("a", "s", 1, StepState.RUNNING, 12)]
    assert store.read(lambda tx: tx.runs.steps("b")) == []
    store.write_now(lambda tx: tx.bulk.succeed([end("a")]))
    assert [(s.state, s.started_at, s.output) for s in store.read(lambda tx: tx.runs.steps("a"))] == [
        (StepState.SUCCEEDED, 21, "said")
    ]
    assert [a.state for a in store.read(lambda tx: tx.runs.attempts("a"))] == [StepState.SUCCEEDED]


def test_a_success_is_written_to_run_step_attempt_and_feed(store: Store) -> None:
    queue(store, "a")
    store.write_now(lambda tx: tx.bulk.claim(["a"], "me", 11, 99))
    assert set(store.write_now(lambda tx: tx.bulk.succeed([end("a")]))) == {"a"}
    run = store.read(lambda tx: tx.runs.get("a"))
    assert run is not None
    assert (run.state, run.finished_at, run.lease_until) == (RunState.SUCCEEDED, 22, None)
    assert run.outputs == {"output": "said"}
    assert store.read(lambda tx: tx.runs.steps("a")) == [
        StepRun("a", "s", 0, StepState.SUCCEEDED, 1, 21, 22, None, None, "said", {"n": 1})
    ]
    assert store.read(lambda tx: tx.runs.attempts("a")) == [
        Attempt("a", "s", 1, StepState.SUCCEEDED, 21, 22, 0, None, "sa", "log/x", 4, truncated=True)
    ]
    assert store.read(lambda tx: tx.events.after(0))[-1].kind == "run_succeeded"


def test_whoever_lost_the_claim_writes_nothing(store: Store) -> None:
    queue(store, "a", "b")
    store.write_now(lambda tx: tx.bulk.claim(["a", "b"], "me", 11, 99))
    lost = store.read(lambda tx: tx.runs.get("a"))
    assert lost is not None
    store.write_now(lambda tx: tx.runs.release(lost, 12, Reason("taken_over", "it was taken over")))
    assert set(store.write_now(lambda tx: tx.bulk.succeed([end("a"), end("b"), end("b", token=7)]))) == {"b"}
    after = store.read(lambda tx: (tx.runs.get("a"), tx.runs.steps("a"), tx.runs.attempts("a")))
    assert after[0] is not None
    assert after[0].state is RunState.QUEUED
    assert after[1:] == ([], [])


def test_busy_jobs_are_those_with_a_run_that_is_not_over(store: Store) -> None:
    store.write_now(lambda tx: tx.jobs.put(JobRecord("k", "k", "{}", "h", "file", 1, 1)))
    queue(store, "a")
    assert store.read(lambda tx: tx.bulk.busy(["j", "k", "other"])) == {"j"}
    store.write_now(lambda tx: tx.bulk.claim(["a"], "me", 11, 99))
    store.write_now(lambda tx: tx.bulk.succeed([end("a")]))
    assert store.read(lambda tx: tx.bulk.busy(["j", "k"])) == set()
