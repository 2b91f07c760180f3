"""Job files that rota writes."""

from __future__ import annotations

import pytest
from tests.support.opened import Opened

from rota.app.jobedit import add_job, check_files, path_of, remove_job_file, set_job_keys
from rota.model.errors import ConflictError, NotFoundError, RotaError, SpecError
from rota.spec import from_json

RUN = {"steps": [{"run": "echo hello"}]}


def test_a_new_job_is_a_file_and_a_record(opened: Opened) -> None:
    record = add_job(opened.app, "hello", {"schedule": "daily", **RUN})
    assert record.path == ".rota/jobs/hello.yaml"
    text = path_of(opened.app, "hello").read_text()
    assert text.startswith("# yaml-language-server: $schema=")
    assert "schedule: daily" in text
    assert from_json(record.definition).steps[0].config["run"] == "echo hello"


def test_a_prompt_is_a_markdown_file(opened: Opened) -> None:
    record = add_job(opened.app, "ask", {"schedule": "daily"}, prompt="What is new?\n\n- and why\n")
    assert record.path == ".rota/jobs/ask.md"
    assert "What is new?" in path_of(opened.app, "ask").read_text()


@pytest.mark.parametrize("job_id", ["A", "", "a b", "../a", "a/b", ".a", "a\n", "ä"])
def test_an_id_that_is_none(opened: Opened, job_id: str) -> None:
    with pytest.raises(RotaError, match="cannot be a job's id"):
        add_job(opened.app, job_id, RUN)
    assert list(opened.app.layout.jobs.iterdir()) == []


def test_an_id_that_is_taken(opened: Opened) -> None:
    add_job(opened.app, "a", RUN)
    with pytest.raises(ConflictError, match="there is a job `a` already"):
        add_job(opened.app, "a", RUN)
    opened.file(".rota/jobs/b.yaml", "broken: true\n")
    with pytest.raises(ConflictError, match="is there already"):
        add_job(opened.app, "b", RUN)
    remove_job_file(opened.app, "a")
    assert add_job(opened.app, "a", RUN).removed_at is None, "free again"


def test_only_what_can_be_read_back_is_written(opened: Opened) -> None:
    with pytest.raises(SpecError, match="no schedule"):
        add_job(opened.app, "a", {"schedule": "dayly", **RUN})
    with pytest.raises(SpecError, match="leads out of the workspace"):
        add_job(opened.app, "a", {"steps": [{"run": "x", "cwd": "/etc"}]})
    with pytest.raises(SpecError, match="there is no skill"):
        add_job(opened.app, "a", {"steps": [{"skill": "none"}]})
    with pytest.raises(SpecError, match="not in a script folder"):
        add_job(opened.app, "a", {"steps": [{"script": "run.sh"}]})
    assert list(opened.app.layout.jobs.iterdir()) == []


def test_a_path_with_a_template_is_judged_later(opened: Opened) -> None:
    add_job(opened.app, "a", {"steps": [{"write": "/{{ today }}.md", "content": "x"}]})
    add_job(opened.app, "b", {"steps": [{"run": "x", "output": "telegram"}]})  # a channel's name is no path
    assert [record.id for record in opened.app.store.read(lambda tx: tx.jobs.all())] == ["a", "b"]


def test_keys_are_set_and_the_rest_stays(opened: Opened) -> None:
    path = opened.job("a", "# mine\nschedule: daily # at night\nsteps:\n  - run: echo\n")
    record = set_job_keys(opened.app, "a", {"schedule": "hourly", "steps.0.timeout": "2m", "name": "Hello"})
    assert path.read_text().startswith("# mine\nschedule: hourly # at night\n")
    assert record.schedule == "hourly"
    assert from_json(record.definition).steps[0].timeout == 120
    set_job_keys(opened.app, "a", {"name": None})
    assert "Hello" not in path.read_text()
    before = path.read_text()
    with pytest.raises(SpecError):
        set_job_keys(opened.app, "a", {"colour": "red"})
    assert path.read_text() == before


def test_what_was_wrong_before_does_not_stop_another_change(opened: Opened) -> None:
    script = opened.file("scripts/a.sh", "echo\n")
    add_job(opened.app, "a", {"steps": [{"script": "scripts/a.sh"}]})
    script.unlink()
    assert set_job_keys(opened.app, "a", {"name": "New"}).name == "New"
    with pytest.raises(SpecError, match=r"there is no script 'scripts/b\.sh'"):
        set_job_keys(opened.app, "a", {"steps.0.script": "scripts/b.sh"})


def test_a_file_of_several_jobs_is_not_removed_with_one(opened: Opened) -> None:
    opened.job("two", "- {name: a, steps: [{run: echo}]}\n- {name: b, steps: [{run: echo}]}\n")
    with pytest.raises(RotaError, match="holds other jobs too: b"):
        remove_job_file(opened.app, "a")
    assert set_job_keys(opened.app, "b", {"description": "Bee"}).description == "Bee"
    assert set_job_keys(opened.app, "b", {"id": "bee"}).removed_at is not None, "it is another job now"
    with pytest.raises(NotFoundError):
        remove_job_file(opened.app, "c")


def test_a_check_changes_nothing(opened: Opened) -> None:
    opened.file(".rota/jobs/a.yaml", "schedule: dayly\nsteps:\n  - run: echo\n    cwd: /etc\n")
    opened.file(".rota/jobs/b.yaml", "steps:\n  - run: echo\n    cwd: /etc\n")
    found = dict(check_files(opened.app, []))
    assert [e.line for e in found[".rota/jobs/a.yaml"].errors] == [1]
    assert [(e.line, e.key) for e in found[".rota/jobs/b.yaml"].errors] == [(2, "steps.0.cwd")]
    assert opened.app.store.read(lambda tx: tx.jobs.all()) == []
