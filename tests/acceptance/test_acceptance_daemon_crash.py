"""Daemons that meet, end and die: one at a time, nothing lost, nothing left behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from tests.support.rota import Rota, alive, eventually, new_workspace

from rota.app.control import socket_path

TWO_STEPS = """\
steps:
  - id: first
    run: echo first >> done.txt
  - id: second
    run: |
      echo $$ >> pids.txt
      sleep 300 & echo $! >> pids.txt
      [ -e release ] || wait
      kill $!
      echo second >> done.txt
    {more}
"""


def begun(rota: Rota, job_id: str = "long", pids: int = 2) -> str:
    """Queue the job, wait until its second step has its child; the run's id."""
    run_id = rota("run", job_id).out.strip()
    eventually(lambda: len(rota.lines("pids.txt")) >= pids, "the second step runs")
    return run_id


def children_end(rota: Rota) -> None:
    eventually(lambda: not any(alive(int(pid)) for pid in rota.lines("pids.txt")), "its children end")


def test_the_second_daemon_says_so(rota: Rota) -> None:
    pid = rota.up()
    for background in ([], ["--background"]):
        said = rota("up", *background, code=4)
        assert said.out == ""
        assert f"a daemon is running on {rota.root} already (pid {pid})" in said.err
        assert "rota down" in said.hint
    assert rota.daemon_pid() == pid


def test_after_a_crash_the_run_goes_on_after_its_last_finished_step(rota: Rota) -> None:
    rota.job("long", TWO_STEPS.format(more=""))
    rota.up()
    run_id = begun(rota)
    rota.kill_daemon()
    assert "not running" in rota.quick("status").out
    children_end(rota)
    rota.write("release", "")
    rota.up()
    eventually(lambda: rota.runs("long")[0]["state"] == "succeeded", "the run is finished")
    assert [run["id"] for run in rota.runs("long")] == [run_id], "it is the same run"
    assert rota.lines("done.txt") == ["first", "second"]
    steps = rota.quick("logs", run_id, "--json").json["steps"]
    assert [[attempt["state"] for attempt in step["attempts"]] for step in steps] == [
        ["succeeded"],
        ["interrupted", "succeeded"],
    ]
    children_end(rota)


def test_a_step_that_must_not_be_repeated_fails(rota: Rota) -> None:
    rota.job("long", TWO_STEPS.format(more="on_interrupt: fail"))
    rota.up()
    begun(rota)
    rota.kill_daemon()
    rota.up()
    eventually(lambda: rota.runs("long")[0]["state"] == "failed", "the run has failed")
    assert "on_interrupt is fail" in rota.runs("long")[0]["reason"]["text"]
    assert rota.lines("done.txt") == ["first"]
    children_end(rota)


def test_a_step_that_somebody_has_to_decide_about_asks(rota: Rota) -> None:
    rota.job("long", TWO_STEPS.format(more="on_interrupt: ask"))
    rota.up()
    run_id = begun(rota)
    rota.kill_daemon()
    rota.up()
    asked = eventually(lambda: rota.quick("inbox", "--json").json, "it asks")
    assert asked[0]["choices"] == ["retry", "skip", "fail"]
    assert "retry, skip, fail" in rota.quick("inbox", "show", run_id).err
    assert "retry, skip, fail" in rota.quick("inbox", "answer", run_id, "perhaps", code=1).hint
    rota("inbox", "answer", run_id, "skip")
    eventually(lambda: rota.runs("long")[0]["state"] == "succeeded", "skipped, and done")
    assert rota.lines("done.txt") == ["first"]
    children_end(rota)


def test_down_interrupts_what_runs_after_the_grace_and_up_resumes_it(rota: Rota) -> None:
    rota.write(".rota/rota.yaml", "timezone: UTC\nshutdown_grace: 1s\n")
    rota.job("long", TWO_STEPS.format(more=""))
    rota.up()
    begun(rota)
    rota("down")
    children_end(rota)
    run = rota.runs("long")[0]
    assert run["state"] == "queued"
    assert "goes on at its next start" in run["reason"]["text"]
    rota.write("release", "")
    rota.up()
    eventually(lambda: rota.runs("long")[0]["state"] == "succeeded", "the run is finished")
    assert rota.lines("done.txt") == ["first", "second"]


def test_down_lets_a_short_run_finish(rota: Rota) -> None:
    rota.job("short", "steps:\n  - run: echo a >> a.txt; sleep 2; echo b >> a.txt\n")
    rota.up()
    rota("run", "short")
    eventually(lambda: rota.lines("a.txt"))
    rota("down")
    assert rota.lines("a.txt") == ["a", "b"]
    assert rota.runs("short")[0]["state"] == "succeeded"


def test_what_a_dead_daemon_leaves_does_no_harm(rota: Rota) -> None:
    rota.up()
    rota.kill_daemon()
    assert socket_path(rota.layout).exists()
    assert (rota.root / ".rota/daemon.lock").read_text()
    assert "not running" in rota.quick("status").out
    assert "no daemon is running" in rota("down", code=3).err
    rota.job("here", "steps:\n  - run: echo here\n")
    assert rota("run", "here").out == "here\n"
    pid = rota.up()
    assert str(pid) in rota.quick("status").out
    rota("down")
    assert not socket_path(rota.layout).exists()


def test_ctrl_c_ends_a_daemon_in_the_foreground(rota: Rota) -> None:
    rota.job("tick", "schedule: every 1s\nsteps:\n  - run: echo x >> tick.txt\n")
    daemon = rota.start("up")
    eventually(lambda: rota.lines("tick.txt"), "it fires")
    daemon.send_signal(signal.SIGINT)
    out, err = daemon.communicate(timeout=60)
    assert (daemon.returncode, out) == (0, "")
    assert "rota runs on" in err
    assert "rota has stopped." in err
    assert "Traceback" not in err


def test_a_path_that_is_too_long_for_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("a-folder-with-a-rather-long-name-" * 3) / ("and-another-one-" * 6)
    deep.mkdir(parents=True)
    with new_workspace(deep) as rota:
        assert len(os.fsencode(deep / ".rota/daemon.sock")) > 108
        rota.job("quick", "steps:\n  - run: echo x > said.txt\n")
        rota.up()
        rota("run", "quick")
        eventually(lambda: rota.read("said.txt"), "the nudge arrives, or the daemon looks by itself")
        rota("down")
        assert not socket_path(rota.layout).exists()


@pytest.mark.parametrize("left", ["daemon.lock", "daemon.sock"])
def test_files_that_are_not_what_they_should_be(rota: Rota, left: str) -> None:
    rota.write(f".rota/{left}", "not at all { json")
    assert "not running" in rota.quick("status").out
    rota.up()
    time.sleep(0.1)
    rota("down")
