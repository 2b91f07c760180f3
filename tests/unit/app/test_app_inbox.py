"""Prompts of the inbox: who takes one, for how long, and whose answer counts."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from tests.support.opened import Opened

from rota.app import inbox
from rota.app.answers import answer
from rota.app.commands import run_job
from rota.engine.queueing import Call, queue
from rota.model.errors import ConflictError, NotFoundError, RotaError, ScheduleError
from rota.model.instants import HOUR, MINUTE, Micros
from rota.model.message import APPROVAL, PROMPT, Approval
from rota.model.run import Reason, Run, RunState, StepRun, StepState
from rota.ports.store import Tx
from rota.spec import from_json

HOUR_OF_SECONDS = 3600.0


def wait(opened: Opened, run: Run, *, kind: str = PROMPT, step: str = "agent", **more: Any) -> Approval:
    """Have a queued run wait for an answer."""
    now = opened.clock.now()
    question = Approval(run.id, step, kind, f"What now, {run.job_id}?", now, run.job_id, **more)

    def work(tx: Tx) -> None:
        claimed = tx.runs.claim(run.id, "me", now, now + HOUR)
        assert claimed is not None
        tx.runs.put_step(claimed, StepRun(run.id, step, 0, StepState.WAITING, attempts=1))
        tx.approvals.ask(question)
        tx.runs.release(claimed, now, Reason("inbox", "waits"), state=RunState.WAITING)

    opened.app.store.write_now(work)
    return question


def ask(opened: Opened, job: str = "brief", **more: Any) -> Approval:
    """A run that waits for an answer; each a second after the one before."""
    opened.clock.advance(1.0)
    if not (opened.root / f".rota/jobs/{job}.yaml").exists():
        opened.job(job, "overlap: allow\nsteps: [{agent: What now?}]\n")
    return wait(opened, run_job(opened.app, job), **more)


def events(opened: Opened) -> list[tuple[str, Any]]:
    found = opened.app.store.read(lambda tx: tx.events.after(0))
    return [
        (event.kind, event.data.get("by")) for event in found if event.kind.startswith(("prompt", "quest"))
    ]


def state(opened: Opened, question: Approval) -> RunState:
    run = opened.app.store.read(lambda tx: tx.runs.get(question.run_id))
    assert run is not None
    return run.state


def test_the_oldest_prompt_that_nobody_has_is_taken(opened: Opened) -> None:
    first, second = ask(opened), ask(opened, "other")
    assert inbox.take(opened.app, None, "claude").question == first
    taken = inbox.take(opened.app, None, "codex")
    assert taken.question == second
    assert taken.take is not None
    assert (taken.take.by, taken.take.until - opened.clock.now()) == ("codex", HOUR)
    with pytest.raises(ConflictError, match="all 2 prompts are taken; the first") as caught:
        inbox.take(opened.app, None, "pi")
    assert caught.value.code == "taken"
    assert [(item.question.job_id, item.take and item.take.by) for item in inbox.items(opened.app)] == [
        ("brief", "claude"),
        ("other", "codex"),
    ]
    assert events(opened) == [("prompt_taken", "claude"), ("prompt_taken", "codex")]


def test_a_taken_prompt_is_nobody_else_s_until_its_time_is_over(opened: Opened) -> None:
    question = ask(opened)
    inbox.take(opened.app, "brief", "claude", span=30 * MINUTE)
    with pytest.raises(ConflictError, match="was taken by claude until") as caught:
        inbox.take(opened.app, "brief", "codex")
    assert caught.value.hint is not None
    assert "--release" in caught.value.hint
    with pytest.raises(ConflictError, match="was taken by claude until") as same:
        inbox.take(opened.app, question.run_id, "claude")  # another session of the same name, perhaps
    assert same.value.hint is not None
    assert same.value.hint.endswith("--agent claude --again")
    opened.clock.advance(HOUR_OF_SECONDS / 2)
    assert inbox.items(opened.app)[0].take is None
    assert inbox.take(opened.app, "brief", "codex").question == question
    with pytest.raises(
        ConflictError, match=r"taken by codex until .*, not by claude; the answer was not used"
    ):
        inbox.done(opened.app, "brief", "Late.", "claude")
    assert inbox.done(opened.app, "brief", "In time.", "codex") == question
    assert state(opened, question) is RunState.QUEUED


def test_who_works_long_keeps_it(opened: Opened) -> None:
    question = ask(opened)
    with pytest.raises(NotFoundError, match="claude has taken none of it"):
        inbox.take(opened.app, None, "claude", again=True)
    inbox.take(opened.app, None, "claude")
    opened.clock.advance(HOUR_OF_SECONDS - 60)
    again = inbox.take(opened.app, None, "claude", again=True, span=2 * HOUR)
    assert again.question == question
    assert again.take is not None
    assert again.take.until == opened.clock.now() + 2 * HOUR
    opened.clock.advance(HOUR_OF_SECONDS)
    with pytest.raises(ConflictError):
        inbox.take(opened.app, None, "codex")


def test_what_is_given_back_is_free(opened: Opened) -> None:
    first, second = ask(opened), ask(opened)
    with pytest.raises(NotFoundError, match="mara has taken nothing"):
        inbox.release(opened.app, None, "mara")
    for _ in range(2):
        inbox.take(opened.app, None, "claude")
    (freed,) = inbox.release(opened.app, second.run_id, "mara")  # an agent that died, say
    assert (freed.run_id, freed.by) == (second.run_id, "claude")
    assert inbox.take(opened.app, None, "codex").question == second
    assert [take.run_id for take in inbox.release(opened.app, None, "claude")] == [first.run_id]
    assert inbox.take(opened.app, None, "pi").question == first
    with pytest.raises(NotFoundError, match="nobody has taken"):
        inbox.release(opened.app, ask(opened).run_id, "mara")


def test_only_prompts_are_taken(opened: Opened) -> None:
    opened.job("ship", "overlap: allow\nsteps: [{id: agent, approve: Ship it?}]\n")
    asked = wait(opened, run_job(opened.app, "ship"), kind=APPROVAL, choices=("approve", "deny"))
    with pytest.raises(NotFoundError, match="no prompt waits in the inbox"):
        inbox.take(opened.app, None, "claude")
    for act in (
        lambda: inbox.take(opened.app, "ship", "claude"),
        lambda: inbox.done(opened.app, asked.run_id, "approve", "claude"),
    ):
        with pytest.raises(ConflictError, match=r"waits for an answer of another kind \(approval\)"):
            act()
    with pytest.raises(NotFoundError, match="there is no run or job `nothing`"):
        inbox.take(opened.app, "nothing", "claude")


def test_a_run_that_is_to_end_and_a_question_that_is_over_are_not_taken(opened: Opened) -> None:
    cancelled = ask(opened)
    opened.app.store.write_now(
        lambda tx: tx.runs.request_cancel(cancelled.run_id, Reason("cancelled", "by hand"))
    )
    ask(opened, expires_at=opened.clock.now() + 2_000_000)
    opened.clock.advance(5.0)
    with pytest.raises(NotFoundError, match="no prompt waits"):
        inbox.take(opened.app, None, "claude")


def test_a_question_that_is_asked_anew_is_free(opened: Opened) -> None:
    question = ask(opened)
    inbox.take(opened.app, None, "claude")
    opened.app.store.write_now(lambda tx: tx.approvals.ask(replace(question, asked_at=question.asked_at + 5)))
    assert inbox.take(opened.app, None, "codex").question.run_id == question.run_id


def test_an_answer_without_taking_counts_and_a_person_s_answer_always_does(opened: Opened) -> None:
    first = ask(opened)
    with pytest.raises(RotaError, match="the answer is empty"):
        inbox.done(opened.app, "brief", " \n", "mara")
    inbox.done(opened.app, "brief", "Nobody had it.", "mara")
    with pytest.raises(ConflictError, match="answered by mara already"):
        inbox.done(opened.app, first.run_id, "Twice.", "mara")
    second = ask(opened)
    inbox.take(opened.app, None, "claude")
    answer(opened.app, second.run_id, "Never mind.")
    assert opened.app.store.read(lambda tx: tx.takes.all()) == []
    assert [kind for kind, _ in events(opened)].count("question_answered") == 2


def test_an_answer_has_to_fit_the_schema_of_its_step(opened: Opened) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    opened.file("answer.json", json.dumps(schema))
    for number, said in enumerate((schema, "answer.json")):
        question = _with_schema(opened, f"typed{number}", said)
        for bad, words in (("ten", "the answer is no JSON"), ('{"n": "x"}', "does not meet the schema")):
            with pytest.raises(RotaError, match=words) as caught:
                inbox.done(opened.app, question.run_id, bad, "claude")
            assert caught.value.code == "bad_answer"
        assert state(opened, question) is RunState.WAITING
        inbox.done(opened.app, question.run_id, '{"n": 10}', "claude")
    gone = _with_schema(opened, "gone", "missing.json")
    with pytest.raises(RotaError, match=r"missing\.json"):
        inbox.done(opened.app, gone.run_id, "{}", "claude")


def _with_schema(opened: Opened, job_id: str, schema: Any) -> Approval:
    """A run that waits, of a step with a `schema:`."""
    opened.job(job_id, "steps: [{agent: What now?}]\n")
    record = opened.app.store.read(lambda tx: tx.jobs.get(job_id))
    assert record is not None
    definition = json.loads(record.definition)
    definition["steps"][0]["config"]["schema"] = schema
    changed = replace(record, definition=json.dumps(definition), hash=f"hash of {job_id}")
    opened.app.store.write_now(lambda tx: tx.jobs.put(changed))
    now: Micros = opened.clock.now()
    call = Call(
        from_json(changed.definition), changed.hash, "manual", now, Reason("manual", "started by hand")
    )
    run, _reason = opened.app.store.write_now(partial(queue, call=call, now=now))
    assert run is not None
    return wait(opened, run)


def test_how_long_a_prompt_is_taken_has_bounds() -> None:
    assert inbox.lease_of("30m") == 30 * MINUTE
    with pytest.raises(RotaError, match="8d is too long"):
        inbox.lease_of("8d")
    with pytest.raises(ScheduleError):
        inbox.lease_of("soon")
