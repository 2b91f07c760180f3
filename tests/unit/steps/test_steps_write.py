from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from rota.model.errors import PathError, StepError
from rota.ports.files import write_atomic

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench


def test_a_file_is_written_with_its_folders(bench: Bench) -> None:
    result = bench.done(
        {"write": "now/{{ d }}/plan.md", "content": "# Plan for {{ d }}\n"}, values={"d": "Monday"}
    )
    assert (bench.workspace / "now/Monday/plan.md").read_text() == "# Plan for Monday\n"
    assert result.values == {"path": "now/Monday/plan.md", "bytes": 18, "changed": True}
    assert result.output == "now/Monday/plan.md"


def test_a_template_file_is_rendered(bench: Bench) -> None:
    bench.file(".rota/templates/plan.md", "{{ payload.x }}!")
    bench.done(
        {"write": "plan.md", "template": ".rota/templates/plan.md"},
        values={"payload": {"x": "{{ 7*7 }} ${HOME}"}},
    )
    assert (bench.workspace / "plan.md").read_text() == "{{ 7*7 }} ${HOME}!"


def test_unchanged_content_does_not_touch_the_file(bench: Bench) -> None:
    path = bench.file("a.txt", "same")
    os.utime(path, (1, 1))
    assert bench.done({"write": "a.txt", "content": "same"}).values["changed"] is False
    assert path.stat().st_mtime == 1


def test_the_mode_is_kept_and_nothing_is_left_beside(bench: Bench) -> None:
    path = bench.file("a.sh", "old", 0o750)
    bench.done({"write": "a.sh", "content": "new"})
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o750)
    bench.done({"write": "b.txt", "content": "x"})
    umask = os.umask(0)
    os.umask(umask)
    assert (bench.workspace / "b.txt").stat().st_mode & 0o777 == 0o666 & ~umask
    assert sorted(p.name for p in bench.workspace.iterdir()) == [".rota", "a.sh", "b.txt"]


def test_append_begins_a_line(bench: Bench) -> None:
    for text in ("one", "two\n", "three"):
        bench.done({"write": "log.md", "content": text, "append": True})
    assert (bench.workspace / "log.md").read_text() == "one\ntwo\nthree"


def test_secrets_are_not_written_to_files(bench: Bench) -> None:
    bench.secrets.stored = {"TOKEN": "s3cret"}
    bench.done({"write": "a.sh", "content": "curl $TOKEN ${TOKEN}"})
    assert (bench.workspace / "a.sh").read_text() == "curl $TOKEN ${TOKEN}"


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "/tmp/rota-x",
        "~/x",
        "a\0b",
        " ",
        ".",
        "notes/",
        "out/x",
        "out.txt",
        "loop/x",
        ".git/hooks/pre-commit",
        "sub/.git/config",
        ".GIT/config",
        ".rota/state.db",
        ".rota/state.db-wal",
        ".rota/secrets.json",
        ".rota/rota.yaml",
        ".rota/jobs/evil.yaml",
        ".ROTA/jobs/evil.yaml",
        ".rota/scripts/evil.py",
        "linked-jobs/evil.yaml",
        "sub/.rota/jobs/evil.yaml",
    ],
)
def test_a_value_cannot_lead_a_file_out_or_make_it_a_program(bench: Bench, path: str) -> None:
    outside = bench.workspace.parent / "outside"
    outside.mkdir()
    (bench.workspace / "out").symlink_to(outside)
    (bench.workspace / "out.txt").symlink_to(outside / "file")
    (bench.workspace / "loop").symlink_to("loop")
    (bench.workspace / "linked-jobs").symlink_to(".rota/jobs")
    with pytest.raises(PathError) as caught:
        bench.run({"write": "{{ payload.p }}", "content": "x"}, values={"payload": {"p": path}})
    assert caught.value.message.startswith("`write:`")
    assert not list(outside.iterdir())
    assert not list((bench.workspace / ".rota" / "jobs").iterdir())


def test_the_output_folder_of_the_jobs_is_open(bench: Bench) -> None:
    bench.done({"write": ".rota/jobs/output/plan.md", "content": "x"})
    assert (bench.workspace / ".rota/jobs/output/plan.md").read_text() == "x"


def test_a_state_folder_elsewhere_is_guarded_too(tmp_path: Path, bench: Bench) -> None:
    (bench.workspace / ".rota" / "jobs").rmdir()
    (bench.workspace / ".rota").rmdir()
    (bench.workspace / "dot-rota" / "jobs").mkdir(parents=True)
    (bench.workspace / ".rota").symlink_to("dot-rota")
    for path in (".rota/jobs/evil.yaml", "dot-rota/jobs/evil.yaml"):
        with pytest.raises(PathError):
            bench.run({"write": path, "content": "x"})


def test_something_that_is_no_file_is_left_alone(bench: Bench) -> None:
    (bench.workspace / "folder").mkdir()
    os.mkfifo(bench.workspace / "pipe")
    for path in ("folder", "pipe"):
        for adding in (False, True):
            with pytest.raises(PathError, match="not a file"):
                bench.run({"write": path, "content": "x", "append": adding})


def test_a_write_that_fails_leaves_the_old_content(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bench.file("a.txt", "old")

    def no_space(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StepError, match="No space left") as caught:
        write_atomic(path, b"new")
    assert not caught.value.permanent
    assert path.read_text() == "old"
    assert sorted(p.name for p in path.parent.iterdir()) == [".rota", "a.txt"]


def test_there_is_one_text(bench: Bench) -> None:
    for keys in ({}, {"content": "a", "template": "b"}):
        with pytest.raises(ValidationError, match="either `content` or `template`"):
            bench.run({"write": "a", **keys})
    with pytest.raises(PathError, match="is not a file"):
        bench.run({"write": "a", "template": "missing.md"})
    assert bench.done({"write": "empty", "content": ""}).values["bytes"] == 0
