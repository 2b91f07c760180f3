"""The state's disk is full, its file locked, read-only, cut short or something else: nothing is lost or overwritten."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from tests.support.hooks import Reply, Sender, bearer, hook, url_of
from tests.support.rota import Rota, eventually, new_workspace
from tests.support.watching import EVERY_SECOND, goes_on, ledger, logged, nothing_lost

from rota.store import open_store

needs_mount = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0 or shutil.which("mount") is None,
    reason="a small disk takes root and Linux",
)
MOUNT_OPTIONS = "size=8m,mode=700"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", MOUNT_OPTIONS, "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    assert os.statvfs(disk).f_bavail == 0
    return ballast


def whole(rota: Rota) -> bool:
    store = open_store(rota.layout.state)
    try:
        return store.check() is None
    finally:
        store.close()


@needs_mount
def test_the_disk_is_full_for_a_while(small: Path, tmp_path: Path) -> None:
    with new_workspace(small / "work") as rota:
        # What the job writes is elsewhere: it is rota's own disk that is full.
        seen = tmp_path / "seen.txt"
        rota.job("tick", f"schedule: every 1s\nsteps:\n  - run: echo x >> {seen}\n")
        pid = rota.up()
        eventually(seen.exists, "it fires")
        ballast = fill(small)
        last = len(seen.read_text())
        time.sleep(4)
        # Whoever looks finds what is there, and what is wrong.
        assert "tick" in rota("list").out
        assert rota("history", "tick", "--json").json
        assert "MB of disk space are left" in rota("doctor", code=1).out
        refused = rota("pause", "tick", code=1)
        assert f"the disk of {rota.layout.state} is full" in refused.err
        assert "free some space" in refused.hint
        assert len(seen.read_text()) <= last + 8, "what cannot be recorded is not started"
        ballast.unlink()
        before = len(seen.read_text())
        eventually(lambda: len(seen.read_text()) > before + 4, "it goes on by itself")
        assert rota.daemon_pid() == pid, "without a restart"
        complaint = logged(rota, "state_not_usable")[0]
        assert "is full" in complaint["error"]
        assert "free some space" in complaint["hint"]
        assert "Traceback" not in rota.read(".rota/logs/daemon.log")
        rota("down")
        nothing_lost(rota, "tick")
        assert {run["state"] for run in rota.runs("tick")} == {"succeeded"}
        assert whole(rota)


@needs_mount
def test_a_full_disk_takes_no_webhooks(small: Path) -> None:
    """The sender is asked to come again, and is not told that it is known when it does."""
    with new_workspace(small / "work") as rota:
        hook(rota, "h", "run: 'true'\n")
        rota.up()
        sender, header = Sender(url_of(rota)), bearer(rota, "h")

        def post(number: int) -> Reply:
            body = json.dumps({"text": "x" * 50_000})
            return sender.post("h", body, {**header, "Idempotency-Key": f"n{number}"})

        assert post(0).status == 202
        ballast = fill(small)
        numbers = count(1)
        taken = {"n0"}

        def refused() -> Reply | None:
            number = next(numbers)
            reply = post(number)
            if reply.status == 503:
                return reply
            taken.add(f"n{number}")
            return None

        reply = eventually(refused, "what room there was in the state is used up")
        assert reply is not None
        assert int(reply.headers["retry-after"]) > 0
        assert set(reply.json) == {"error"}
        last = next(numbers) - 1
        ballast.unlink()
        again = eventually(lambda: (now := post(last)).status == 202 and now, "it takes them again")
        assert isinstance(again, Reply)
        assert "duplicate" not in again.json
        rota("down")
        assert whole(rota)
        with closing(sqlite3.connect(rota.layout.state)) as state:
            stored = {key for (key,) in state.execute("SELECT key FROM deliveries")}
        assert stored == taken | {f"n{last}"}


class Hold:
    """Another process that holds the state's lock."""

    def __init__(self, state: Path) -> None:
        program = f"import sqlite3; c = sqlite3.connect({str(state)!r}, timeout=60, isolation_level=None); "
        program += "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); input(); c.execute('ROLLBACK')"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"

    def let_go(self) -> None:
        self._process.communicate("\n", timeout=30)


def test_another_process_holds_the_state(rota: Rota) -> None:
    rota.job("tick", EVERY_SECOND.format(file="tick.txt"))
    rota.job("idle", "steps:\n  - run: echo x\n")
    pid = rota.up()
    goes_on(rota, "tick.txt")
    lock = Hold(rota.layout.state)
    try:
        held = time.monotonic()
        pausing = rota.start("pause", "idle")
        while time.monotonic() < held + 12:
            assert "tick" in rota("list").out, "reads answer meanwhile"
            assert rota("why", "tick", "-n", "3").out
            assert pausing.poll() is None, "a write waits"
            time.sleep(2)
    finally:
        lock.let_go()
    _, err = pausing.communicate(timeout=60)
    assert pausing.returncode == 0, err
    assert "paused" in rota.quick("list").out
    goes_on(rota, "tick.txt", times=3)
    assert rota.daemon_pid() == pid
    rota("down")
    nothing_lost(rota, "tick")
    assert not [row for row in ledger(rota, "tick") if row["outcome"] == "ran" and row["run"] is None]
    assert whole(rota)


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def overwritten_within(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def somebody_elses(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()


@pytest.mark.parametrize("spoil", [garbage, cut_short, overwritten_within, somebody_elses])
def test_a_state_that_is_not_one_is_named_and_left_alone(rota: Rota, spoil: Callable[[Path], None]) -> None:
    rota.job("tick", EVERY_SECOND.format(file="tick.txt"))
    rota.quick("list")
    state = rota.layout.state
    for beside in state.parent.glob("state.db-*"):
        beside.unlink()
    spoil(state)
    before = state.read_bytes()
    for type_, command in (
        (rota, ["up"]), (rota, ["up", "--background"]), (rota, ["tick"]), (rota.quick, ["list"]),
        (rota.quick, ["run", "tick"]), (rota.quick, ["doctor"]),
    ):  # fmt: skip
        said = type_(*command, code=1)
        assert str(state) in said.err + said.out, command
        assert "hint:" in said.err + said.out
        assert "Traceback" not in said.err
        assert "internal error" not in said.err
    assert state.read_bytes() == before, "nothing is overwritten"


@needs_mount
def test_a_disk_that_may_only_be_read(small: Path, tmp_path: Path) -> None:
    with new_workspace(small / "work") as rota:
        seen = tmp_path / "seen.txt"
        rota.job("tick", f"schedule: every 1s\nsteps:\n  - run: echo x >> {seen}\n")
        rota.up()
        eventually(seen.exists, "it fires")
        rota("down")
        before = rota.layout.state.read_bytes()

        def remount(how: str) -> None:
            # Busy for as long as the last file of the daemon that has just ended is open.
            command = ["mount", "-o", f"remount,{how},{MOUNT_OPTIONS}", str(small)]
            eventually(lambda: subprocess.run(command, check=False).returncode == 0, f"mounted {how}")

        remount("ro")
        try:
            for command in (["up"], ["up", "--background"], ["pause", "tick"], ["tick"]):
                said = rota(*command, code=1)
                assert str(rota.layout.rota) in said.err, said
                assert said.hint
                assert "Traceback" not in said.err
                assert "internal error" not in said.err
            assert rota.layout.state.read_bytes() == before
        finally:
            remount("rw")
        rota.up()
        goes = len(seen.read_text())
        eventually(lambda: len(seen.read_text()) > goes, "it starts again")
        rota("down")
        nothing_lost(rota, "tick")
