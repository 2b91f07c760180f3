"""Changes of keys in a file leave the rest of its text alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rota.model.errors import SpecError
from rota.spec import Catalog, new_job_text, new_prompt_text, parse_file, set_keys


def test_everything_around_a_change_stays(design_job: str) -> None:
    changed = set_keys(
        design_job,
        "plan.yaml",
        {"schedule": "0 8 * * *", "enabled": False, "timezone": None, "steps.0.days": 7, "on_error.retry": 3},
    )
    expected = (
        design_job.replace('"0 20 * * 0"  ', '"0 8 * * *"  ', 1)
        .replace("timezone: Europe/London           # stored at creation; default: the workspace's\n", "")
        .replace("steps:\n", "enabled: false\nsteps:\n")
        .replace("days: 14", "days: 7")
        .replace("retry: false", "retry: 3")
    )
    assert changed == expected


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        ("# a\nrun: x\n# b\n", {"name": "it's"}, "# a\nrun: x\nname: it's\n# b\n"),
        ("name: 'a'  # why\nrun: x\n", {"name": "it's"}, "name: 'it''s'  # why\nrun: x\n"),
        ('name: "a"\nrun: x\n', {"name": "b"}, 'name: "b"\nrun: x\n'),
        ("name: a\nrun: x\n", {"name": "on"}, 'name: "on"\nrun: x\n'),
        ("name: a\nrun: x\n", {"name": "5"}, 'name: "5"\nrun: x\n'),
        ("name: a\nrun: x\n", {"name": "a: b # c"}, 'name: "a: b # c"\nrun: x\n'),
        ("run: x\n", {"schedule": "* * * * *"}, 'run: x\nschedule: "* * * * *"\n'),
        ("run: x\nname: a", {"name": "b"}, "run: x\nname: b"),
        ("run: x\r\n# b\r\nname: a\r\n", {"name": "b"}, "run: x\r\n# b\r\nname: b\r\n"),
        ("\ufeffrun: x\n", {"run": "z"}, "\ufeffrun: z\n"),
        ("run: x\n\n\nname: a\n", {"run": "y\nz\n"}, "run: |\n  y\n  z\n\n\nname: a\n"),
        ("run: |\n  a\n  b\n\n# c\nname: x\n", {"run": "z"}, "run: z\n\n# c\nname: x\n"),
        ("name: a\n# about x\nenv: # e\n  A: 1\n\nrun: x\n", {"env": None}, "name: a\n# about x\n\nrun: x\n"),
        ("env:\nrun: x\n", {"env.A": "1"}, 'env:\n  A: "1"\nrun: x\n'),
        ("run: x\n", {"on_error.notify": False}, "run: x\non_error:\n  notify: false\n"),
        (
            "on_error:\n    retry: 3\nrun: x\n",
            {"env": {"A": "b"}},
            "on_error:\n    retry: 3\nrun: x\nenv:\n    A: b\n",
        ),
        ("on_error:\n  retry: 3\nrun: x\n", {"on_error.retry": None}, "on_error: {}\nrun: x\n"),
        ("{name: a, run: x}\n", {"name": None, "env": {"a": "b: c"}}, '{run: x, env: {a: "b: c"}}\n'),
        ("{run: x, name: a}\n", {"name": None}, "{run: x}\n"),
        (
            "steps:\n- run: x\n  timeout: 5m\n- run: y\n",
            {"steps.0.timeout": None},
            "steps:\n- run: x\n- run: y\n",
        ),
        ("steps:\n- run: x\n  timeout: 5m\n", {"steps.0.run": None}, "steps:\n- timeout: 5m\n"),
        (
            "steps:\n- run: x\n",
            {"notify": [{"type": "desktop"}]},
            "steps:\n- run: x\nnotify:\n- type: desktop\n",
        ),
        ("steps:\n  - run: x # c\n", {"steps.0.id": "a"}, "steps:\n  - run: x # c\n    id: a\n"),
        ("steps: [{run: x}]\n", {"steps.0.id": "a"}, "steps: [{run: x, id: a}]\n"),
        (
            "schedule: daily\nrun: x\n",
            {"schedule": ["daily", "every 4h"]},
            "schedule: [daily, every 4h]\nrun: x\n",
        ),
        (
            "schedule:\n  - daily\n  - weekly # c\nrun: x\n",
            {"schedule.1": "hourly"},
            "schedule:\n  - daily\n  - hourly # c\nrun: x\n",
        ),
        ("schedule:\n  - daily\nrun: x\n", {"schedule": "hourly"}, "schedule: hourly\nrun: x\n"),
        ("run: x\n", {"name": None, "env.A": None}, "run: x\n"),
    ],
)
def test_yaml(text: str, changes: dict[str, Any], expected: str) -> None:
    assert set_keys(text, "a.yaml", changes) == expected


def test_markdown() -> None:
    text = "---\n# c\nschedule: 'daily'  # when\n---\n\nHello {{ x }}\n"
    changed = set_keys(text, "a.md", {"schedule": "weekly", "prompt": "Good\nday", "enabled": False})
    assert changed == "---\n# c\nschedule: 'weekly'  # when\nenabled: false\n---\n\nGood\nday\n"
    assert set_keys("---\n---\nHi\n", "a.md", {"schedule": "daily"}) == "---\nschedule: daily\n---\nHi\n"


def test_json() -> None:
    text = '{\n\t"name": "x",\n\t"steps": [{"run": "y"}]\n}\n'
    changed = set_keys(text, "a.json", {"schedule": "daily", "steps.0.timeout": "5m", "name": None})
    assert json.loads(changed) == {"steps": [{"run": "y", "timeout": "5m"}], "schedule": "daily"}
    two = '{\n  "name": "x",\n  "run": "y"\n}\n'
    assert (
        set_keys(two, "a.json", {"enabled": False})
        == '{\n  "name": "x",\n  "run": "y",\n  "enabled": false\n}\n'
    )


def test_one_job_of_a_list() -> None:
    text = '[{"name": "My Job", "run": "x"},\n {"id": "b", "run": "y"}]\n'
    changed = set_keys(text, "jobs.json", {"run": "z"}, job="b")
    assert changed == '[{"name": "My Job", "run": "x"},\n {"id": "b", "run": "z"}]\n'
    assert '"enabled": false},' in set_keys(text, "jobs.json", {"enabled": False}, job="my-job")
    with pytest.raises(SpecError, match="there is no job `c`"):
        set_keys(text, "jobs.json", {"run": "z"}, job="c")
    with pytest.raises(SpecError, match="several jobs"):
        set_keys(text, "jobs.json", {"run": "z"})


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("run: {{ x }}\n", {"name": "a"}, "must be quoted"),
        ("run: [\n", {"name": "a"}, "bracket"),
        ("run: x\nrun: y\n", {"name": "a"}, "twice"),
        ("run: x\nretry: false\n", {"retry.attempts": 3}, "`attempts` has no place in false"),
        ("steps: [{run: x}]\n", {"steps.3.run": "y"}, "there is no item 3"),
        ("run: x\n", {"run": None}, "cannot be changed here"),
        ("a: &a {b: 1}\nc: *a\n", {"c.b": 2}, "cannot be changed here"),
    ],
)
def test_what_cannot_be_changed_safely_is_refused(text: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        set_keys(text, "a.yaml", changes)
    assert caught.value.file == "a.yaml"


def test_new_files_are_read_back_as_they_were_meant(catalog: Catalog) -> None:
    text = new_job_text(
        "weekly-plan",
        schedule="0 8 * * 1-5",
        steps=[{"run": "git log\ngit status\n"}, {"skill": "plan", "input": {"a": "{{ payload.x }}"}}],
        notify=["desktop"],
        timezone=None,
        if_="today.day > 1",
    )
    assert (
        text
        == """\
# yaml-language-server: $schema=../schema/job.json
name: weekly-plan
schedule: "0 8 * * 1-5"
if: today.day > 1
steps:
  - run: |
      git log
      git status
  - skill: plan
    input:
      a: "{{ payload.x }}"
notify: [desktop]
"""
    )
    (parsed,) = parse_file(text, "weekly-plan.yaml", catalog).jobs
    assert parsed.job.steps[0].config["run"] == "git log\ngit status\n"
    prompt = new_prompt_text("p", "Plan my day\n", schedule="@daily", output="desktop")
    assert prompt == '---\nname: p\nschedule: "@daily"\noutput: desktop\n---\n\nPlan my day\n'
    assert parse_file(prompt, "p.md", catalog).jobs[0].job.steps[0].config == {"agent": "Plan my day"}
