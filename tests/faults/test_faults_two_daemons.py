"""Several processes want to run one workspace: one daemon at a time, and no moment twice whoever is there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from tests.support.rota import Rota, alive, eventually
from tests.support.watching import EVERY_SECOND, goes_on, ledger, nothing_lost

from rota.app.control import running_daemon

# Says which moment it runs for, as which run.
MOMENTS = """\
schedule: every 1s
overlap: allow
steps:
  - run: echo $ROTA_OCCURRENCE $ROTA_RUN_ID $ROTA_ATTEMPT >> moments.txt
"""


def no_moment_twice(rota: Rota, job_id: str = "tick") -> None:
    """What ran is what the ledger says: one run for each moment, and each attempt at it once."""
    eventually(lambda: {run["state"] for run in rota.runs(job_id)} <= {"succeeded"}, "all have ended")
    expected = {row["key"]: row["run"] for row in ledger(rota, job_id) if row["outcome"] == "ran"}
    lines = rota.lines("moments.txt")
    assert lines, "it ran"
    assert sorted(lines) == sorted(set(lines)), "an attempt was made twice"
    assert {tuple(line.split()[:2]) for line in lines} == set(expected.items())


def test_after_a_kill_the_next_one_starts_at_once(rota: Rota) -> None:
    rota.job("tick", MOMENTS)
    first = rota.up()
    eventually(lambda: rota.lines("moments.txt"))
    for background in ([], ["--background"]):
        second = rota("up", *background, code=4)
        assert f"already (pid {first})" in second.err
        assert second.hint
    rota.kill_daemon()
    third = rota.up()
    assert third != first
    seen = len(rota.lines("moments.txt"))
    eventually(lambda: len(rota.lines("moments.txt")) > seen + 1, "it goes on")
    rota("down")
    nothing_lost(rota, "tick")
    no_moment_twice(rota)


def test_ten_start_at_once_and_one_runs(rota: Rota) -> None:
    rota.job("tick", MOMENTS)
    daemons = [rota.start("up") for _ in range(10)]
    eventually(lambda: sum(d.poll() is not None for d in daemons) == 9, "nine give way")
    assert {d.returncode for d in daemons if d.poll() is not None} == {4}
    eventually(lambda: rota.lines("moments.txt"))
    (one,) = [d for d in daemons if d.poll() is None]
    assert rota.daemon_pid() == one.pid
    rota("down")
    no_moment_twice(rota)


def test_ticks_side_by_side_and_beside_a_daemon(rota: Rota) -> None:
    rota.job("tick", MOMENTS)
    rota.quick("list")  # its moments begin
    for with_daemon in (False, True):
        if with_daemon:
            rota.up()
        for _ in range(2):
            time.sleep(1.1)
            ticks = [rota.start("tick") for _ in range(3)]
            for tick in ticks:
                _, err = tick.communicate(timeout=90)
                assert tick.returncode == 0, err
    rota("down")
    nothing_lost(rota, "tick")
    no_moment_twice(rota)


def test_a_run_in_the_foreground_beside_a_daemon(rota: Rota) -> None:
    rota.job("long", "steps:\n  - run: echo $ROTA_RUN_ID >> long.txt; sleep 2; echo done\n")
    rota.job("tick", EVERY_SECOND.format(file="tick.txt"))
    # It starts without a daemon, so that it is executed there; the daemon comes while it runs.
    here = rota.start("run", "long")
    eventually(lambda: rota.lines("long.txt"), "it runs in the foreground")
    rota.up()
    waiting = rota.start("run", "long", "--wait", "--force")
    goes_on(rota, "tick.txt")
    out, err = here.communicate(timeout=90)
    assert (here.returncode, out) == (0, "done\n"), err
    _, err = waiting.communicate(timeout=90)
    assert waiting.returncode == 0, err
    assert "long succeeded" in err
    runs = rota.runs("long")
    assert [run["state"] for run in runs] == ["succeeded", "succeeded"]
    assert sorted(rota.lines("long.txt")) == sorted(run["id"] for run in runs), "each ran once"
    goes_on(rota, "tick.txt")


def test_a_run_whose_foreground_process_dies_is_taken_up_by_the_daemon(rota: Rota) -> None:
    rota.job("long", "steps:\n  - run: echo x >> long.txt; [ $ROTA_ATTEMPT = 2 ] || sleep 300\n")
    here = rota.start("run", "long")
    eventually(lambda: rota.lines("long.txt"), "it runs in the foreground")
    rota.up()
    here.send_signal(signal.SIGKILL)
    here.communicate(timeout=30)
    eventually(lambda: rota.runs("long")[0]["state"] == "succeeded", "the daemon goes on with it")
    assert rota.lines("long.txt") == ["x", "x"]


@pytest.mark.parametrize("left", ["a pid that is nobody's", "the pid of somebody else", "nonsense"])
def test_a_stale_lock_file(rota: Rota, left: str) -> None:
    sleeper = subprocess.Popen(["sleep", "300"])
    try:
        pid = {"a pid that is nobody's": 2**22 - 3, "the pid of somebody else": sleeper.pid}.get(left)
        text = json.dumps({"pid": pid, "started_at": 1, "version": "0.0.1"}) if pid else "\x00{" * 2000
        rota.write(".rota/daemon.lock", text)
        assert running_daemon(rota.layout) is None
        assert "not running" in rota.quick("status").out
        assert "no daemon is running" in rota("down", code=3).err
        rota.job("tick", EVERY_SECOND.format(file="tick.txt"))
        pid = rota.up()
        assert f"pid {pid}" in rota.quick("status").out
        goes_on(rota, "tick.txt", times=1)
        rota("down")
        assert alive(sleeper.pid), "somebody else's process is left alone"
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_daemon_that_stands_still_still_holds_its_workspace(rota: Rota) -> None:
    rota.job("tick", MOMENTS)
    pid = rota.up()
    eventually(lambda: rota.lines("moments.txt"))
    os.kill(pid, signal.SIGSTOP)
    try:
        assert f"already (pid {pid})" in rota("up", code=4).err
        assert f"pid {pid}" in rota.quick("status").out
    finally:
        os.kill(pid, signal.SIGCONT)
    seen = len(rota.lines("moments.txt"))
    eventually(lambda: len(rota.lines("moments.txt")) > seen + 1, "it goes on")
    rota("down")
    nothing_lost(rota, "tick")
    no_moment_twice(rota)
