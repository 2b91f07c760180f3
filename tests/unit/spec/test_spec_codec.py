"""Jobs to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from rota.model.agent import Caps
from rota.model.budget import Budget, OnOver
from rota.model.job import (
    CatchUp,
    CatchUpMode,
    Concurrency,
    Evidence,
    Job,
    Notify,
    OnError,
    OnInterrupt,
    Overlap,
    Param,
    Retry,
    Step,
    Trigger,
)
from rota.spec import digest, from_json, to_json

Good = Callable[..., Job]

FULL = Job(
    id="full",
    name="Füll",
    steps=(
        Step("a", "run", {"run": "x", "args": [1, {"b": None}]}, needs=(), retry=Retry(2), timeout=1.5),
        Step(
            "b", "agent", needs=("a",), on_interrupt=OnInterrupt.ASK, env={"A": "1"}, continue_on_error=True
        ),
    ),
    triggers=(
        Trigger("job", "job", "other", options={"when": "failed"}),
        Trigger("every", "every", "every 4h", "2026-01-01"),
    ),
    description="All",
    enabled=False,
    timezone="UTC",
    condition="x",
    overlap=Overlap.ALLOW,
    catch_up=CatchUp(CatchUpMode.ALL, 5.0),
    jitter=1.0,
    timeout=2.0,
    retry=Retry(3, "fixed", 1.0, 2.0, ("5xx",), ("503",)),
    retry_run=Retry(2, on=("timeout",)),
    success_if=(Evidence("file", "a", min_size=5), Evidence("schema", schema={"type": "object"}, step="a")),
    params=(Param("p", "integer", 0, required=True, choices=(0, 1)),),
    env={"B": "2"},
    concurrency=Concurrency("g", 2),
    max_active=3,
    max_failures=2,
    priority=-1,
    notify=(Notify("slack", "m", "t", "c", "failed", {"webhook": "${W}"}),),
    on_error=OnError(notify=False, channels=(Notify("desktop"),), message="oh"),
    on_recovery=OnError(notify=True),
    budget=Budget(run=Caps(usd=0.5), week=Caps(tokens=9, minutes=1.5), on_over=OnOver.PAUSE),
    extra={"runs_on": ["gpu"]},
)


def test_a_job_comes_back_as_it_was() -> None:
    assert from_json(to_json(FULL)) == FULL
    assert isinstance(from_json(to_json(FULL)).overlap, Overlap)


def test_defaults_are_left_out() -> None:
    job = Job("a", "a", (Step("run", "run", {"run": "x"}),))
    assert to_json(job) == '{"id":"a","name":"a","steps":[{"id":"run","kind":"run","config":{"run":"x"}}]}'
    assert from_json(to_json(job)) == job


def test_where_a_step_stands_makes_no_other_job() -> None:
    moved = replace(FULL, steps=tuple(replace(step, line=99) for step in FULL.steps))
    assert to_json(moved) == to_json(FULL)


def test_a_changed_job_has_another_digest() -> None:
    assert digest(to_json(FULL)) == digest(to_json(from_json(to_json(FULL))))
    assert digest(to_json(FULL)) != digest(to_json(replace(FULL, priority=0)))
    assert len(digest("")) == 16


def test_what_a_newer_version_wrote_is_read_as_far_as_it_is_known() -> None:
    data = json.loads(to_json(FULL))
    data["mood"] = "good"
    data["steps"][0]["mood"] = "better"
    assert from_json(json.dumps(data)) == FULL


def test_windows_come_back_as_they_were(job_of: Good) -> None:
    job = job_of("run: x\nwindow: [09:00-17:00]\nnot_during: {times: [Sat, Sun], otherwise: skip}\n")
    back = from_json(to_json(job))
    assert (back.window, back.not_during) == (job.window, job.not_during)
