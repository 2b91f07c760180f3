"""What good job files become."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rota.model.agent import Caps
from rota.model.budget import Budget
from rota.model.job import CatchUp, CatchUpMode, Job, Notify, OnError, Overlap, Retry, Step, Trigger
from rota.spec import Catalog, FileResult, parse_mapping

Parse = Callable[..., FileResult]
Good = Callable[..., Job]


def test_the_designs_example_loads_as_it_is(parse: Parse, design_job: str) -> None:
    (parsed,) = parse(design_job, ".rota/jobs/weekly-plan.yaml").jobs
    job = parsed.job
    assert (job.id, job.name, job.timezone) == ("weekly-plan", "weekly-plan", "Europe/London")
    assert job.triggers == (Trigger("cron", "cron", "0 20 * * 0"),)
    assert [(step.id, step.kind, step.line) for step in job.steps] == [
        ("pull", "pull", 7),
        ("context", "context", 9),
        ("skill", "skill", 12),
    ]
    assert job.steps[0].config == {"pull": "calendar", "days": 14}
    assert job.steps[2].config["input"] == {"context": "{{ steps.context.output }}"}
    assert job.steps[2].output == "now/weekly-plan-draft.md"
    assert job.notify == (
        Notify("desktop", message="Weekly plan draft ready"),
        Notify("slack", config={"webhook": "${SLACK_WEBHOOK_URL}"}),
    )
    assert job.on_error == OnError(notify=True)
    assert job.retry == Retry(attempts=1)
    assert parsed.warnings == ()


def test_a_prompt_in_markdown_is_one_agent_step(parse: Parse, design_prompt: str) -> None:
    (parsed,) = parse(design_prompt, ".rota/jobs/commits.md").jobs
    job = parsed.job
    assert job.id == job.name == "commits"
    assert job.steps == (
        Step(
            "agent",
            "agent",
            {"agent": "Summarize git commits from the last 24 hours."},
            output="telegram",
            line=6,
        ),
    )
    assert job.budget == Budget(run=Caps(usd=0.25, turns=20))
    assert parsed.warnings == ()


def test_keys_of_the_agent_step_stand_in_the_front_matter(job_of: Good) -> None:
    text = "---\nmodel: opus\nrunner: inbox\nmax_turns: 5\ntimeout: 1h\non_interrupt: retry\noutput: now/x.md\n---\nHi\n"
    job = job_of(text, "a.md")
    assert job.steps[0].config == {"agent": "Hi", "model": "opus", "runner": "inbox", "max_turns": 5}
    assert (job.steps[0].on_interrupt, job.steps[0].output, job.timeout) == ("retry", "now/x.md", 3600.0)


def test_a_job_with_one_step_needs_no_steps_key(job_of: Good) -> None:
    assert job_of("run: git fetch\nshell: bash\n").steps[0].config == {"run": "git fetch", "shell": "bash"}
    assert job_of('{"prompt": "Plan my day"}', "a.json").steps[0].config == {"agent": "Plan my day"}


def test_product_files_load_as_they_are(parse: Parse, product_job: str, product_hook: str) -> None:
    (job,) = parse(product_job, ".personal/jobs/morning-pull.yaml").jobs
    assert (job.job.id, job.job.name) == ("morning-pull", "Morning pull")
    assert job.job.notify[0].condition == "new_recordings > 0"
    assert job.warnings == ()
    (hook,) = parse(product_hook, ".personal/hooks/meeting-ended.yaml").jobs
    assert hook.job.triggers == (
        Trigger("webhook", "webhook", "meeting-ended", options={"verify": "bearer"}),
    )
    assert (hook.job.overlap, hook.warnings) == ("queue", ())


def test_a_list_of_jobs_has_ids_from_names(parse: Parse) -> None:
    text = '[{"name": "Daily Standup", "run": "a"},\n {"id": "b", "name": "B", "run": "b"},\n {"name": "C", "rum": "c"}]'
    result = parse(text, "jobs.json")
    assert [(found.job.id, found.job.name, found.line) for found in result.jobs] == [
        ("daily-standup", "Daily Standup", 1),
        ("b", "B", 2),
    ]
    assert [(error.line, error.hint) for error in result.errors] == [
        (3, "say what the job does: `steps:` with `- run: COMMAND`"),
        (3, "did you mean `run`?"),
    ]


def test_two_jobs_of_one_id_in_a_file(parse: Parse) -> None:
    result = parse("- {id: a, run: x}\n- {id: a, run: y}\n")
    assert [found.job.id for found in result.jobs] == ["a"]
    (error,) = result.errors
    assert str(error) == "plan.yaml:2: `id`: a second job with the id `a`; the first is on line 1"


def test_jobs_from_python_and_from_the_api(catalog: Catalog) -> None:
    result = parse_mapping(
        {"name": "My Job", "schedule": "hourly", "run": "x"}, "jobs/a.py", catalog, line=12
    )
    assert (result.jobs[0].job.id, result.jobs[0].line) == ("my-job", 12)
    result = parse_mapping({"name": "My Job", "shedule": "hourly", "run": "x"}, "jobs/a.py", catalog, line=12)
    assert [str(error) for error in result.errors] == ["jobs/a.py:12: `shedule`: unknown key"]
    assert result.errors[0].hint == "did you mean `schedule`?"


def test_every_key_of_a_job(job_of: Good) -> None:
    job = job_of(
        """\
id: full
name: Everything
description: All keys
schedule: hourly
on: [manual]
enabled: false
timezone: America/New_York
if: today.day == 1
overlap: allow
catch_up: {mode: all, within: 1d}
jitter: 30s
timeout: 1h30m
retry: {attempts: 5, first: 1m}
params: {days: {type: integer, default: 7}}
env: {COUNT: 3, DEBUG: true, NAME: x}
concurrency: {group: llm, limit: 2}
max_active: 4
priority: 5
steps:
  - {id: a, name: First, run: x, timeout: 10s, retry: 2, env: {A: 1}, continue_on_error: true, on_interrupt: ask}
  - {run: y, needs: a, if: "steps.a.output == 'x'"}
  - {run: z, needs: []}
output: now/z.md
notify: desktop
on_error: {notify: [telegram], message: Oh}
on_recovery: true
""",
        channels=["telegram"],
    )
    assert (job.id, job.name, job.description, job.enabled) == ("full", "Everything", "All keys", False)
    assert [(t.id, t.text) for t in job.triggers] == [("cron", "hourly"), ("manual", "manual")]
    assert (job.condition, job.overlap, job.jitter, job.timeout) == (
        "today.day == 1",
        Overlap.ALLOW,
        30.0,
        5400.0,
    )
    assert job.catch_up == CatchUp(CatchUpMode.ALL, 86400.0)
    assert job.retry == Retry(5, "exponential", 60.0, 600.0)
    assert job.env == {"COUNT": "3", "DEBUG": "true", "NAME": "x"}
    assert job.concurrency is not None
    assert (job.concurrency.group, job.concurrency.limit, job.max_active, job.priority) == ("llm", 2, 4, 5)
    first, second, third = job.steps
    assert (first.name, first.timeout, first.retry, first.env) == ("First", 10.0, Retry(2), {"A": "1"})
    assert (first.continue_on_error, first.on_interrupt) == (True, "ask")
    assert (second.id, second.needs, second.condition) == ("run", ("a",), "steps.a.output == 'x'")
    assert (third.id, third.needs, third.output) == ("run_2", (), "now/z.md")
    assert job.on_error == OnError(notify=True, channels=(Notify("telegram", when="failed"),), message="Oh")
    assert job.on_recovery == OnError(notify=True)


def test_values_that_are_known_later_pass(job_of: Good) -> None:
    job = job_of(
        'steps:\n  - pull: calendar\n    days: "{{ params.days }}"\n  - write: x\n    append: ${APPEND}\n'
    )
    assert job.steps[0].config["days"] == "{{ params.days }}"
    assert job.steps[1].config["append"] == "${APPEND}"


def test_on_is_no_boolean_and_empty_keys_are_absent(job_of: Good) -> None:
    job = job_of("on: [manual]\ndescription:\nenv:\nnotify:\nrun: x\n")
    assert (job.triggers[0].kind, job.description, job.env, job.notify) == ("manual", "", {}, ())


def test_anchors_and_merge_keys(job_of: Good) -> None:
    text = "steps:\n  - &base {run: x, timeout: 5m}\n  - <<: *base\n    run: y\n"
    assert [(step.config["run"], step.timeout) for step in job_of(text).steps] == [("x", 300.0), ("y", 300.0)]


def test_line_ends_and_byte_order_marks_do_not_matter(job_of: Good) -> None:
    assert job_of("\ufeffrun: x\r\ntimeout: 5m\r\n").timeout == 300.0


@pytest.mark.parametrize(
    "path", ["Weekly Plan.yaml", "deep/er/Weekly Plan.yml", "C:\\jobs\\Weekly Plan.json"]
)
def test_the_id_comes_from_the_files_name(job_of: Good, path: str) -> None:
    assert job_of('{"run": "x"}', path).id == "weekly-plan"
