"""Job files and the registry: what is added, changed, moved, removed, broken and mended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.clock import FakeClock

from rota.app import sync as room
from rota.app.commands import run_job
from rota.app.stamps import is_current, stamps_of
from rota.app.sync import Report, sync
from rota.app.wiring import App, open_app
from rota.model.instants import HOUR
from rota.model.ledger import JobRecord, TriggerRecord
from rota.model.run import RunState
from rota.workspace.jobfiles import JobFile
from rota.workspace.layout import Layout, make_private

GOOD = 'schedule: "0 20 * * *"\nsteps: [{run: echo hello}]\n'


class Workspace:
    def __init__(self, root: Path) -> None:
        make_private(Layout(root.resolve()))
        self.root = root.resolve()
        self.clock = FakeClock()
        self.app: App = open_app(root, self.clock)
        self._touched = 1_700_000_000

    def file(self, name: str, text: str | bytes) -> Path:
        """Write a job file, at a time of its own."""
        path = self.root / ".rota" / "jobs" / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        self._touched += 1  # a file system's clock may stand still between two writes of a test
        os.utime(path, (self._touched, self._touched))
        return path

    def config(self, text: str) -> None:
        from rota.app.settings import read_settings

        (self.root / ".rota" / "rota.yaml").write_text(text)
        self.app.use(read_settings(self.app.layout, self.app.kinds.catalog))

    def sync(self) -> Report:
        self.clock.advance(1)
        return sync(self.app)

    def jobs(self) -> dict[str, str]:
        """Status of every job by id."""
        return {record.id: record.status for record in self.app.store.read(lambda tx: tx.jobs.all())}

    def job(self, job_id: str) -> JobRecord:
        record = self.app.store.read(lambda tx: tx.jobs.get(job_id))
        assert record is not None
        return record

    def trigger(self, job_id: str) -> TriggerRecord:
        return self.app.store.read(lambda tx: tx.triggers.of(job_id))[0]

    def broken(self) -> dict[str, str]:
        return {
            b.path.rpartition("/")[2]: b.error for b in self.app.store.read(lambda tx: tx.jobs.broken_files())
        }

    def events(self) -> list[str]:
        return [event.kind for event in self.app.store.read(lambda tx: tx.events.after(0, 1000))]


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    space = Workspace(tmp_path)
    yield space
    space.app.close()


def test_files_are_added_changed_and_removed_and_history_stays(space: Workspace) -> None:
    path = space.file("a.yaml", GOOD)
    assert space.sync().added == ("a",)
    assert space.jobs() == {"a": "active"}
    space.file("a.yaml", GOOD + "description: new\n")
    assert space.sync().changed == ("a",)
    assert space.job("a").description == "new"
    path.unlink()
    assert space.sync().removed == ("a",)
    assert space.jobs() == {}
    assert space.job("a").status == "removed"
    space.file("a.yaml", GOOD)
    assert space.sync().added == ("a",)


def test_a_sync_with_nothing_new_writes_nothing(space: Workspace) -> None:
    space.file("a.yaml", GOOD)
    space.file("bad.yaml", "steps: nonsense\n")
    space.sync()
    assert is_current(space.app)
    before = space.job("a"), space.events(), space.broken()
    report = space.sync()
    assert report.quiet
    assert report.errors == ()
    assert (space.job("a"), space.events(), space.broken()) == before


def test_many_files_at_once(space: Workspace) -> None:
    for number in range(60):
        space.file(f"j{number}.yaml", GOOD)
    assert len(space.sync().added) == 60


def test_a_file_that_is_renamed_keeps_its_job_by_the_id_inside(space: Workspace) -> None:
    path = space.file("b.yaml", "id: plan\n" + GOOD)
    space.sync()
    due = space.trigger("plan").next_due
    for name in ("c.yaml", "a.yaml"):
        path = path.rename(path.parent / name)
        report = space.sync()
        assert (report.added, report.removed) == ((), ())
        assert space.job("plan").path == f".rota/jobs/{name}"
    assert space.trigger("plan").next_due == due


@pytest.mark.parametrize(
    "bad",
    ["schedule: [\n", "steps: 3\n", b"\xff\x00\x9c" * 40, "", 'schedule: "61 * * * *"\nsteps: [{run: x}]\n'],
)
def test_a_broken_file_keeps_the_last_good_version_and_is_shown_until_mended(
    space: Workspace, bad: str | bytes
) -> None:
    space.file("a.yaml", GOOD)
    space.file("other.yaml", GOOD)
    space.sync()
    good = space.job("a")
    space.file("a.yaml", bad)
    report = space.sync()
    assert report.errors
    assert space.jobs() == {"a": "broken", "other": "active"}
    assert space.job("a").definition == good.definition
    assert space.trigger("a").next_due is not None
    assert list(space.broken()) == ["a.yaml"]
    space.file("a.yaml", GOOD)
    space.sync()
    assert space.jobs() == {"a": "active", "other": "active"}
    assert space.broken() == {}


def test_a_file_that_never_was_good_is_shown_and_goes_with_the_file(space: Workspace) -> None:
    path = space.file("a.yaml", "steps: 3\n")
    space.sync()
    assert space.jobs() == {}
    assert list(space.broken()) == ["a.yaml"]
    path.unlink()
    space.sync()
    assert space.broken() == {}


def test_a_half_written_file_is_read_again_when_it_is_whole(space: Workspace) -> None:
    text = GOOD + 'description: "a long one"\n'
    for part in (text[:20], text[:-5], text):
        space.file("a.yaml", part)
        space.sync()
    assert space.jobs() == {"a": "active"}


def test_one_bad_job_in_a_list_does_not_take_the_others_along(space: Workspace) -> None:
    one = "- {id: one, steps: [{run: echo}]}\n"
    space.file("all.yaml", one + "- {id: two, steps: [{run: echo}]}\n")
    space.sync()
    space.file(
        "all.yaml",
        one.replace("echo", "date") + "- {id: two, steps: nonsense}\n- {id: three, steps: [{run: x}]}\n",
    )
    report = space.sync()
    assert (report.added, report.changed) == (("three",), ("one",))
    assert space.jobs() == {"one": "active", "two": "broken", "three": "active"}
    space.file("all.yaml", one)
    assert sorted(space.sync().removed) == ["three", "two"]


def test_of_two_files_with_one_id_the_first_keeps_it_and_the_second_may_have_it_later(
    space: Workspace,
) -> None:
    first = space.file("b.yaml", "id: same\n" + GOOD)
    space.sync()
    space.file("a.yaml", "id: same\ndescription: the second\n" + GOOD)
    space.sync()
    assert space.job("same").path == ".rota/jobs/b.yaml"
    assert "in .rota/jobs/b.yaml" in space.broken()["a.yaml"]
    first.unlink()
    report = space.sync()
    assert (report.removed, report.errors) == ((), ())
    assert space.job("same").description == "the second"
    assert space.broken() == {}


def test_a_job_moves_from_one_file_into_another(space: Workspace) -> None:
    space.file("b.yaml", "id: same\n" + GOOD)
    space.sync()
    due = space.trigger("same").next_due
    space.file("b.yaml", "id: other\n" + GOOD)
    space.file("a.yaml", "id: same\n" + GOOD)
    report = space.sync()
    assert (report.added, report.removed, report.errors) == (("other",), (), ())
    assert space.jobs() == {"same": "active", "other": "active"}
    assert space.trigger("same").next_due == due


def test_two_files_exchange_their_jobs(space: Workspace) -> None:
    space.file("a.yaml", "id: one\n" + GOOD)
    space.file("b.yaml", "id: two\n" + GOOD)
    space.sync()
    space.file("a.yaml", "id: two\n" + GOOD)
    space.file("b.yaml", "id: one\n" + GOOD)
    report = space.sync()
    assert (report.removed, report.errors) == ((), ())
    assert space.job("one").path == ".rota/jobs/b.yaml"


def test_a_change_of_the_zone_moves_the_triggers(space: Workspace) -> None:
    space.config("timezone: UTC\n")
    space.file("a.yaml", GOOD)
    space.file("fixed.yaml", "timezone: Asia/Tokyo\n" + GOOD)
    space.sync()
    before, fixed = space.trigger("a").next_due, space.trigger("fixed").next_due
    space.config("timezone: America/New_York\n")
    assert space.sync().changed == ("a",)
    after = space.trigger("a").next_due
    assert before is not None
    assert after == before + 5 * HOUR
    assert space.trigger("fixed").next_due == fixed


def test_a_channel_of_rota_yaml_mends_the_jobs_that_name_it(space: Workspace) -> None:
    space.file("a.yaml", "notify: [team]\n" + GOOD)
    space.sync()
    assert "a.yaml" in space.broken()
    space.config("channels: {team: {type: command, command: [cat]}}\n")
    assert space.sync().added == ("a",)
    assert space.broken() == {}


def test_a_job_that_is_paused_stays_paused_when_its_file_changes(space: Workspace) -> None:
    space.file("a.yaml", GOOD)
    space.sync()
    space.app.store.write_now(lambda tx: tx.jobs.pause("a", "by hand", 1))
    space.file("a.yaml", GOOD + "description: new\n")
    space.sync()
    assert space.jobs() == {"a": "paused"}


PYTHON = '''from rota import job

@job("every 1h")
def tidy_up() -> str:
    """Tidy the folder."""
    return "done"
'''


def test_functions_become_jobs(space: Workspace) -> None:
    space.file("tools.py", PYTHON)
    assert space.sync().added == ("tidy-up",)
    assert space.job("tidy-up").description == "Tidy the folder."


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("1 / 0\n", "ZeroDivisionError"),
        ("import sys; sys.exit(3)\n", "SystemExit: 3"),
        ("import os; os._exit(4)\n", "exit code 4"),
        ("def broken(:\n", "SyntaxError"),
        ("import time; time.sleep(60)\n", "took longer than"),
    ],
)
def test_a_python_file_that_fails_in_any_way_keeps_its_jobs(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, tail: str, words: str
) -> None:
    if "sleep" in tail:
        monkeypatch.setattr(room, "PYTHON_TIMEOUT", 1.0)
    space.file("tools.py", PYTHON)
    with monkeypatch.context() as patch:
        patch.setattr(room, "PYTHON_TIMEOUT", 20.0)
        space.sync()
    space.file("tools.py", PYTHON + tail)
    space.file("good.yaml", GOOD)
    assert space.sync().added == ("good",)
    assert space.jobs() == {"tidy-up": "broken", "good": "active"}
    assert words in space.broken()["tools.py"]


def test_a_python_file_that_hangs_is_not_tried_again_before_it_changes(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PYTHON_TIMEOUT", 0.3)
    space.file("tools.py", "import time; time.sleep(60)\n")
    space.sync()
    monkeypatch.setattr(room, "_parse_python", lambda *_: pytest.fail("it was run again"))
    space.file("good.yaml", GOOD)
    assert space.sync().added == ("good",)
    assert "tools.py" in space.broken()


def test_a_job_that_comes_between_the_look_and_the_write_is_not_taken_for_a_removed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes: one has looked at the folder; the other adds a job and starts it before the first writes."""
    workspace = Workspace(tmp_path)
    workspace.file("old.yaml", GOOD)
    sync(workspace.app)
    workspace.file("old.yaml", GOOD.replace("20", "21"))
    other = open_app(workspace.root, workspace.clock)
    started: list[str] = []

    def looked_at(layout: Layout, files: list[JobFile]) -> dict[str, str]:
        found = stamps_of(layout, files)
        if not started:
            workspace.file("new.yaml", GOOD)
            started.append("")
            sync(other)
            started[0] = run_job(other, "new").id
        return found

    monkeypatch.setattr(room, "stamps_of", looked_at)
    sync(workspace.app)
    run = workspace.app.store.read(lambda tx: tx.runs.get(started[0]))
    record = workspace.app.store.read(lambda tx: tx.jobs.get("new"))
    assert run is not None
    assert run.state is RunState.QUEUED
    assert record is not None
    assert record.removed_at is None
    for app in (other, workspace.app):
        app.close()
