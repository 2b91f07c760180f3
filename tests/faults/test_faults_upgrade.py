"""A state of every earlier version goes on with this one, and an update that is cut off leaves the old or the new."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.rota import Rota, eventually, new_workspace
from tests.support.states import STATES, Seen, furnish, seen

import rota.store
from rota.model.errors import StoreError
from rota.store import migrate, open_store

FIXTURES = sorted(STATES.glob("*.sql"))
NEXT = f"{int(migrate.HEAD) + 1:04d}"

# A migration of the version after this one, which changes what is there, and may die at any of its points.
MIGRATION = """
import os, signal
import sqlalchemy as sa
from alembic import op

def point(name):
    if os.environ.get("DIE_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)

def upgrade():
    point("begun")
    op.add_column("runs", sa.Column("mood", sa.Text(), nullable=True))
    op.execute("UPDATE runs SET mood = 'fine'")
    point("half")
    op.rename_table("cursors", "places")
    op.execute("DELETE FROM events")
    point("done")
"""

LATER_ROTA = """
import os, signal, sys
from pathlib import Path
from rota.store import backup, migrate, open_store

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

migrate.HEAD, migrate.SCRIPTS = sys.argv[2:4]
if os.environ.get("DIE_AT") == "copied":
    backup._sync = die
open_store(Path(sys.argv[1]))
if os.environ.get("DIE_AT") == "committed":
    die()
"""


def load(fixture: Path, path: Path) -> list[str]:
    """Make the state file of a fixture, in WAL mode as rota leaves it; its whole content."""
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(fixture.read_text("utf-8"))
    connection.close()
    return dump(path)


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def missing(expected: Seen, found: Seen) -> list[str]:
    """What a version said, and a later one does not say any more; what is new is no loss."""
    lost = []
    for table, rows in expected.items():
        for key, row in rows.items():
            now = found[table].get(key)
            if isinstance(row, dict) and isinstance(now, dict):
                now = {name: now.get(name) for name in row}
            if now != row:
                lost.append(f"{table} {key}: {row} became {now}")
    return lost


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_an_earlier_state_opens_with_every_row_as_it_was(fixture: Path, tmp_path: Path) -> None:
    load(fixture, tmp_path / "state.db")
    store = open_store(tmp_path / "state.db")
    expected: Seen = json.loads(fixture.with_suffix(".json").read_text("utf-8"))
    assert missing(expected, store.read(seen)) == []
    assert {row["outcome"] for row in expected["occurrences"].values()} == {"ran", "skipped", "missed"}
    assert store.check() is None
    store.close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (migrate.HEAD,)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_the_daemon_goes_on_with_an_earlier_state(fixture: Path, tmp_path: Path) -> None:
    expected: Seen = json.loads(fixture.with_suffix(".json").read_text("utf-8"))
    (orphan,) = [key for key, run in expected["runs"].items() if run["state"] == "running"]
    (asked,) = [row["run_id"] for row in expected["approvals"].values() if row["state"] == "open"]
    undelivered = [m for m in expected["messages"].values() if m["state"] in {"pending", "sending"}]
    assert len(undelivered) == 2
    with new_workspace(tmp_path / "work") as rota:
        # Old rows are what this is about: none is to go because of its age.
        rota.write(".rota/rota.yaml", "timezone: UTC\nlimits: {keep_days: 30000, keep_ledger_days: 30000}\n")
        furnish(rota.root)
        (rota.root / ".rota/jobs/gone.yaml").unlink()
        for script in ("tell.sh", "post.sh"):
            # Two at a time write there: each message is one write.
            rota.write(script, "printf '%s\\n' \"$(cat)\" >> told.txt\n")
        rota.write("fragile.sh", "echo mended\n")
        rota.write("release", "")
        load(fixture, rota.layout.state)
        rota.up()
        eventually(lambda: run_of(rota, "long")["state"] == "succeeded", "the orphan is taken over")
        assert (run_of(rota, "long")["id"], rota.lines("done.txt")) == (orphan, ["second"])
        rota("inbox", "answer", asked, "--text", "Sleep late")
        eventually(lambda: rota.read("plan.md").strip() == "Sleep late", "the answer goes on its way")
        eventually(lambda: run_of(rota, "standup")["state"] == "succeeded", "what was queued has run")
        told = [message["body"] for message in undelivered]
        eventually(lambda: all(rota.lines("told.txt").count(body) == 1 for body in told), "messages go out")
        eventually(
            lambda: all(run["state"] not in {"queued", "waiting"} for run in rota.runs("fragile")), "retried"
        )
        assert "paused" in rota("why", "resting").out
        assert "gone" not in rota.ids()
        rota("down")
        store = open_store(rota.layout.state)
        now = store.read(seen)
        store.close()
    kept = ("occurrences", "definitions", "events", "daemons", "attempts")
    ended = {key: row for key, row in expected["attempts"].items() if row["state"] != "running"}
    rows = {**{table: expected[table] for table in kept}, "attempts": ended}
    assert missing(rows, now) == []


def run_of(rota: Rota, job_id: str) -> dict[str, object]:
    return rota.runs(job_id)[0]


def test_a_newer_state_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "work") as rota:
        load(FIXTURES[-1], rota.layout.state)
        with sqlite3.connect(rota.layout.state) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (NEXT,))
        connection.close()
        before = rota.layout.state.read_bytes()
        for command in (["list"], ["tick"], ["up"], ["up", "--background"]):
            said = rota(*command, code=1)
            assert f"was written by a newer rota (revision {NEXT}, this one knows {migrate.HEAD})" in said.err
            assert said.hint == "update rota" or "--background" in command
        assert rota.layout.state.read_bytes() == before
        assert list(rota.layout.rota.glob("state.db.before*")) == []


def update(path: Path, scripts: Path, die_at: str = "") -> int:
    """Open the state with the version after this one, in a process of its own; its exit code."""
    argv = [sys.executable, "-c", LATER_ROTA, str(path), NEXT, str(scripts)]
    return subprocess.run(argv, check=False, timeout=120, env={"DIE_AT": die_at, "PATH": ""}).returncode


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The migrations of this version, and one more."""
    folder = tmp_path / "migrations"
    shutil.copytree(Path(rota.store.__file__).parent / "migrations", folder)
    (folder / "versions" / f"r{NEXT}_later.py").write_text(
        f"revision, down_revision = {NEXT!r}, {migrate.HEAD!r}\n" + MIGRATION
    )
    return folder


@pytest.mark.parametrize("point", ["copied", "begun", "half", "done", "committed"])
def test_an_update_that_is_killed_leaves_the_old_or_the_new_state(
    point: str, scripts: Path, tmp_path: Path
) -> None:
    path = tmp_path / "state.db"
    before = load(FIXTURES[-1], path)
    assert update(path, scripts, die_at=point) == -signal.SIGKILL
    if point == "committed":
        assert is_new(path, before)
    else:
        assert dump(path) == before
        store = open_store(path)  # this version goes on with it as if nothing had been
        assert store.check() is None
        store.close()
    assert update(path, scripts) == 0
    assert is_new(path, before)
    assert [file.name for file in tmp_path.glob("state.db.before*")] == [f"state.db.before-r{NEXT}"]
    assert dump(tmp_path / f"state.db.before-r{NEXT}") == before


def is_new(path: Path, before: list[str]) -> bool:
    """Whether all of the later version's migration is there; fails when only some of it is."""
    cursors = sum(line.startswith('INSERT INTO "cursors"') for line in before)
    connection = sqlite3.connect(path)
    try:
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        moods = {mood for (mood,) in connection.execute("SELECT mood FROM runs")}
        events = connection.execute("SELECT count(*) FROM events").fetchone()
        places = connection.execute("SELECT count(*) FROM places").fetchone()
    finally:
        connection.close()
    assert (version, moods, events, places) == (NEXT, {"fine"}, (0,), (cursors,))
    return True


def test_one_copy_of_the_state_before_the_update_is_kept(scripts: Path, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    before = load(FIXTURES[-1], path)
    (tmp_path / "state.db.before-r0000").write_text("of an earlier update")
    assert update(path, scripts) == 0
    (copy,) = tmp_path.glob("state.db.before*")
    assert (copy.name, stat.S_IMODE(copy.stat().st_mode)) == (f"state.db.before-r{NEXT}", 0o600)
    shutil.copy(copy, path)
    path.with_name("state.db-wal").unlink(missing_ok=True)
    store = open_store(path)  # the way back to this version
    assert store.check() is None
    store.close()
    assert dump(path) == before


def test_without_a_copy_there_is_no_update(
    scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.db"
    before = load(FIXTURES[-1], path)
    (tmp_path / f"state.db.before-r{NEXT}").mkdir()
    monkeypatch.setattr(migrate, "HEAD", NEXT)
    monkeypatch.setattr(migrate, "SCRIPTS", str(scripts))
    with pytest.raises(StoreError, match="cannot be copied to") as caught:
        open_store(path)
    assert caught.value.hint
    assert dump(path) == before


def test_a_new_state_leaves_no_copy(tmp_path: Path) -> None:
    open_store(tmp_path / "state.db").close()
    assert list(tmp_path.glob("state.db.before*")) == []
