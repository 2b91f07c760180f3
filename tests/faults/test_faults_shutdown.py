"""Told to end: the real daemon starts nothing new, lets short runs finish, interrupts the rest, and goes on later."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest
from tests.support.rota import Rota, alive, eventually

# Says when it has begun, waits for a file, and does not listen to SIGTERM; its child neither.
STUBBORN = """
run: |
  trap '' TERM INT
  sleep 300 & echo $$ $! >> pids.txt
  until [ -e release ]; do sleep 0.1; done
  kill -9 $!
  echo done >> done.txt
"""
PATIENT = """
import pathlib, time, os
def wait():
    with open("host.txt", "a") as file:
        file.write(f"{os.getpid()}\\n")
    while not pathlib.Path("release").exists():
        time.sleep(0.1)
    return "rested"
"""


def daemon_with(rota: Rota, grace: str) -> subprocess.Popen[str]:
    rota.write(".rota/rota.yaml", f"timezone: UTC\nshutdown_grace: {grace}\n")
    daemon = rota.start("up")
    assert daemon.stderr is not None
    for line in daemon.stderr:
        if line.startswith("rota runs on"):
            break
    return daemon


def started(rota: Rota, job_id: str) -> str:
    """Queue it; the run's id once its command runs."""
    run_id = rota("run", job_id).out.strip()
    eventually(lambda: rota.lines("pids.txt"), "its command runs")
    return run_id


def ended(daemon: subprocess.Popen[str]) -> str:
    """What it said until its end, which is one in good order."""
    _, err = daemon.communicate(timeout=90)
    assert daemon.returncode == 0, err
    assert "Traceback" not in err
    return err


def pids(rota: Rota) -> list[int]:
    return [int(pid) for name in ("pids.txt", "host.txt") for pid in rota.read(name).split()]


def test_while_it_ends_nothing_new_is_started(rota: Rota) -> None:
    rota.job("long", STUBBORN)
    rota.job("often", "schedule: every 1s\nrun: echo x >> often.txt\n")
    daemon = daemon_with(rota, "60s")
    eventually(lambda: rota.lines("often.txt"), "it fires")
    started(rota, "long")
    daemon.send_signal(signal.SIGTERM)
    eventually(lambda: '"event": "daemon_stops"' in rota.read(".rota/logs/daemon.log"), "it has heard")
    rota.job("late", "run: echo x >> late.txt\n")
    rota.quick("run", "late")
    eventually(lambda: all(run["state"] != "running" for run in rota.runs("often")))
    before = rota.lines("often.txt")
    time.sleep(2.5)
    assert rota.lines("often.txt") == before
    assert rota.runs("late")[0]["state"] == "queued"
    assert rota.runs("long")[0]["state"] == "running"
    rota.write("release", "")
    ended(daemon)
    assert rota.runs("long")[0]["state"] == "succeeded", "it was let finish"
    assert rota.lines("done.txt") == ["done"]


def test_what_does_not_finish_in_time_is_interrupted_and_goes_on_at_the_next_start(rota: Rota) -> None:
    rota.job("long", STUBBORN)
    rota.write("functions.py", PATIENT)
    rota.job("host", "python: functions:wait\n")
    daemon = daemon_with(rota, "1s")
    rota("run", "host")
    started(rota, "long")
    eventually(lambda: rota.lines("host.txt"), "the function runs")
    daemon.send_signal(signal.SIGINT)
    ended(daemon)
    assert not any(alive(pid) for pid in pids(rota))
    assert rota.children() == []
    for job in ("long", "host"):
        run = rota.runs(job)[0]
        assert (run["state"], run["reason"]["code"]) == ("queued", "shutdown")
    assert "goes on at its next start" in rota.quick("why", "long").out + rota.quick("status").out
    rota.write("release", "")
    daemon = daemon_with(rota, "10s")
    for job in ("long", "host"):
        eventually(lambda job=job: rota.runs(job)[0]["state"] == "succeeded", f"{job} is finished")  # type: ignore[misc] # bound at once
        assert len(rota.runs(job)) == 1, "it is the same run"
    assert rota.lines("done.txt") == ["done"]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_told_twice_it_ends_at_once_with_its_children(rota: Rota, second: signal.Signals) -> None:
    rota.job("long", STUBBORN)
    rota.write("functions.py", PATIENT)
    rota.job("host", "python: functions:wait\n")
    daemon = daemon_with(rota, "10m")
    rota("run", "host")
    started(rota, "long")
    eventually(lambda: rota.lines("host.txt"), "the function runs")
    daemon.send_signal(signal.SIGTERM)
    eventually(lambda: '"event": "daemon_stops"' in rota.read(".rota/logs/daemon.log"), "it has heard")
    assert daemon.poll() is None, "it waits for what runs"
    daemon.send_signal(second)
    ended(daemon)  # in far less than its ten minutes
    assert not any(alive(pid) for pid in pids(rota))
    assert rota.children() == []
    for job in ("long", "host"):
        run = rota.runs(job)[0]
        assert (run["state"], run["reason"]["code"]) == ("queued", "shutdown")
    assert '"event": "daemon_stopped"' in rota.read(".rota/logs/daemon.log"), "everything is written"


def test_when_nothing_runs_it_ends_without_waiting(rota: Rota) -> None:
    daemon = daemon_with(rota, "10m")
    daemon.send_signal(signal.SIGTERM)
    ended(daemon)
    assert rota.quick("status", "--json").json["daemon"] is None


def test_a_hang_up_reads_jobs_and_settings_again(rota: Rota) -> None:
    rota.job("zone", "run: echo {{ timezone }} >> zone.txt\n")
    daemon = daemon_with(rota, "10s")
    rota.job("more", "run: echo more >> more.txt\n")
    rota.write(".rota/rota.yaml", "timezone: Asia/Tokyo\nshutdown_grace: 10s\n")
    daemon.send_signal(signal.SIGHUP)
    eventually(lambda: rota.ids() == ["more", "zone"], "the jobs are read")
    eventually(lambda: "settings_changed" in rota.read(".rota/logs/daemon.log"), "the settings are read")
    rota("run", "zone", "--wait")
    assert rota.lines("zone.txt") == ["Asia/Tokyo"]
    assert daemon.poll() is None
