"""Jobs that would start each other in a circle, and jobs that follow nobody: what the files' author is told."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.opened import Opened

from rota.app.jobedit import add_job, check_files, set_job_keys
from rota.app.queries import broken_files, find_job
from rota.app.sync import Report, sync
from rota.app.triggers import put_job
from rota.model.errors import SpecError
from rota.model.job import Trigger
from rota.model.ledger import JobRecord
from rota.spec import digest, from_json, to_json

RUN = "steps:\n  - run: echo\n"


def after(*upstreams: str) -> str:
    return "on:\n" + "".join(f"  - job: {upstream}\n" for upstream in upstreams) + RUN


class Files:
    """Job files that are written at times of their own."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self._touched = 1_700_000_000

    def write(self, **texts: str) -> Report:
        for name, text in texts.items():
            path = self.path(name)
            path.write_text(text)
            self._touched += 1
            os.utime(path, (self._touched, self._touched))
        return self.sync()

    def sync(self) -> Report:
        self.opened.clock.advance(1)
        return sync(self.opened.app)

    def path(self, name: str) -> Path:
        return self.opened.root / ".rota" / "jobs" / f"{name}.yaml"

    def job(self, name: str) -> JobRecord:
        return find_job(self.opened.app, name)

    def follows(self, name: str) -> list[str]:
        return [t.text for t in from_json(self.job(name).definition).triggers if t.kind == "job"]


@pytest.fixture
def files(opened: Opened) -> Files:
    return Files(opened)


def test_the_file_that_closes_a_circle_is_refused_with_its_place_and_the_circle(files: Files) -> None:
    assert files.write(a=RUN, b=after("a"), c=after("b")).errors == ()
    report = files.write(a="# a note\n" + after("x", "c"))
    (error,) = report.errors
    assert (error.file, error.line, error.key) == (".rota/jobs/a.yaml", 4, "on.job")
    assert error.message == "a circle of jobs that start each other: a -> b -> c -> a"
    assert error.hint is not None
    assert "`c` may not start `a`" in error.hint
    (broken,) = broken_files(files.opened.app)
    assert (broken.path, broken.line) == (".rota/jobs/a.yaml", 4)
    assert "a -> b -> c -> a" in broken.error


def test_the_last_good_version_stays_and_the_other_jobs_go_on(files: Files) -> None:
    files.write(a=RUN, b=after("a"))
    report = files.write(a=after("b"), other=RUN)
    assert report.added == ("other",)
    assert files.job("a").status == "broken"
    assert files.follows("a") == []
    assert (files.job("b").status, files.follows("b")) == ("active", ["a"])


def test_a_job_that_follows_itself_is_a_circle(files: Files) -> None:
    (error,) = files.write(a=after("a")).errors
    assert "a -> a" in error.message


def test_of_two_new_files_that_make_a_circle_one_comes_into_force(files: Files) -> None:
    (error,) = files.write(a=after("b"), b=after("a")).errors
    assert error.file == ".rota/jobs/b.yaml"
    assert files.follows("a") == ["b"]


def test_two_files_may_change_places_at_once(files: Files) -> None:
    files.write(a=RUN, b=after("a"))
    assert files.write(a=after("b"), b=RUN).errors == ()
    assert (files.follows("a"), files.follows("b")) == (["b"], [])


def test_a_refused_file_is_taken_up_when_another_opens_the_circle(files: Files) -> None:
    files.write(a=RUN, b=after("a"))
    files.write(a=after("b"))
    files.write(b=RUN)
    assert (files.job("a").status, files.follows("a")) == ("active", ["b"])
    assert broken_files(files.opened.app) == []


def test_a_refused_file_is_taken_up_when_the_other_is_deleted(files: Files) -> None:
    files.write(a=RUN, b=after("a"))
    files.write(a=after("b"))
    files.path("b").unlink()
    files.sync()
    assert (files.job("a").status, files.follows("a")) == ("active", ["b"])


def test_the_other_jobs_of_a_file_with_a_circle_come_into_force(files: Files) -> None:
    two = "- id: a\n  on: [{job: b}]\n  run: echo\n- id: b\n  on: [{job: a}]\n  run: echo\n- id: c\n  run: echo\n"
    (error,) = files.write(all=two).errors
    assert error.line == 5
    assert [files.job(name).status for name in ("a", "c")] == ["active", "active"]


def test_a_job_of_the_store_is_part_of_the_circle(files: Files) -> None:
    files.write(a=RUN)
    stored = replace(from_json(files.job("a").definition), id="s", triggers=(Trigger("job", "job", "a"),))
    text = to_json(stored)
    now = files.opened.clock.now()
    record = JobRecord("s", "s", text, digest(text), "store", now, now)
    files.opened.app.store.write_now(lambda tx: put_job(tx, record, stored, now))
    (error,) = files.write(a=after("s")).errors
    assert "a -> s -> a" in error.message


def test_a_file_that_clashes_does_not_make_another_a_circle(files: Files) -> None:
    files.write(a=RUN)
    report = files.write(dup="id: a\n" + after("b"), b=after("a"))
    assert [(error.file, "already" in error.message) for error in report.errors] == [
        (".rota/jobs/dup.yaml", True)
    ]


def test_check_finds_a_circle_against_the_registry_and_changes_nothing(files: Files) -> None:
    files.write(a=RUN, b=after("a"))
    draft = files.opened.file("drafts/a.yaml", after("b"))
    ((path, result),) = check_files(files.opened.app, [draft])
    assert path == "drafts/a.yaml"
    assert [(error.line, error.key) for error in result.errors] == [(2, "on.job")]
    assert "a -> b -> a" in result.errors[0].message
    assert files.follows("a") == []


def test_check_blames_the_file_that_is_not_in_force(files: Files) -> None:
    files.write(a=RUN, b=after("a"))
    files.write(a=after("b"))
    found = {path: bool(result.errors) for path, result in check_files(files.opened.app, [])}
    assert found == {".rota/jobs/a.yaml": True, ".rota/jobs/b.yaml": False}


def test_an_edit_or_a_new_job_that_would_close_a_circle_is_not_written(files: Files) -> None:
    files.write(a=RUN, b=after("a"))
    before = files.path("a").read_text()
    with pytest.raises(SpecError, match="a -> b -> a"):
        set_job_keys(files.opened.app, "a", {"on": [{"job": "b"}]})
    assert files.path("a").read_text() == before
    with pytest.raises(SpecError, match="c -> c"):
        add_job(files.opened.app, "c", {"on": [{"job": "c"}], "run": "echo"})
    assert not files.path("c").exists()


def test_a_job_that_follows_one_that_is_not_there_is_warned_of_until_it_is(files: Files) -> None:
    assert files.write(b=after("a")).errors == ()
    ((_, result),) = check_files(files.opened.app, [])
    assert [warning for job in result.jobs for warning in job.warnings] == [
        "line 2: `on.job`: there is no job `a`, so this one never starts after it"
    ]
    assert files.job("b").warnings == ("`on.job`: there is no job `a`, so this one never starts after it",)
    assert files.write(a=RUN).changed == ()
    assert files.job("b").warnings == ()
    files.path("a").unlink()
    files.sync()
    assert len(files.job("b").warnings) == 1
    assert files.write(b=after("a") + "# the same\n").changed == (), "the warning is no change of the job"
