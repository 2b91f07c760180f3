"""The sandbox around a client that has none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rota.runners._sandbox import bubblewrap, sandboxed, writable

WRITE = ("now/**", "notes.md", "../out/**", "deep/down/*.md")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / ".rota").mkdir()
    (tmp_path / ".rota/secrets.json").write_text("hush")
    (tmp_path / "notes.md").write_text("notes")
    (tmp_path / "other.md").write_text("other")
    return tmp_path


def test_patterns_become_the_places_that_they_begin_with(workspace: Path) -> None:
    assert writable(workspace, WRITE) == [workspace / "now", workspace / "notes.md", workspace / "deep/down"]
    assert (workspace / "now").is_dir()
    assert writable(workspace, ["**"]) == [workspace]


@pytest.mark.parametrize("write", [WRITE, ("**",)])
def test_nothing_else_can_be_written_and_the_secrets_are_not_to_be_seen(
    workspace: Path, write: tuple[str, ...]
) -> None:
    program = bubblewrap(None)
    if program is None:
        pytest.skip("bubblewrap is not installed, or does not work here")
    script = "cat .rota/secrets.json; for f in now/a.md notes.md other.md /etc/x-of-a-test; do echo x > $f && echo $f; done"
    argv = sandboxed(["sh", "-c", script], program, workspace, write=write, own=[])
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=workspace)
    written = done.stdout.split()
    assert "hush" not in written
    assert "/etc/x-of-a-test" not in written
    assert ("other.md" in written) == (write == ("**",))
    assert "notes.md" in written
