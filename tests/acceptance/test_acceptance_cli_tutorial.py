"""The first hour with rota: a workspace, a job, a daemon, and every question that one asks about them."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.rota import Rota, alive, eventually, run_here


def test_the_first_hour(tmp_path: Path) -> None:
    made = run_here("init", str(tmp_path / "home"), "--tz", "Europe/London")
    assert made.code == 0
    assert "Europe/London" in made.err
    assert "rota add hello" in made.hint
    rota = Rota(tmp_path / "home")
    try:
        _a_job_that_says_hello(rota)
        _it_fires(rota)
        _what_happened(rota)
        _by_hand(rota)
        _a_pause(rota)
        _an_edit(rota)
        _the_end(rota)
    finally:
        rota.close()


def _a_job_that_says_hello(rota: Rota) -> None:
    empty = rota.quick("list")
    assert empty.out == ""
    assert "rota add" in empty.hint
    added = rota("add", "hello", "--schedule", "every 1s", "--run", "echo hello; echo x >> said.txt")
    assert ".rota/jobs/hello.yaml" in added.err
    assert "Next: " in added.err
    assert "rota up" in added.hint
    assert "not running" in rota.quick("status").out


def _it_fires(rota: Rota) -> None:
    up = rota("up", "--background")
    assert "runs in the background" in up.err
    assert "hint:" in up.err
    eventually(lambda: len(rota.lines("said.txt")) >= 2, "hello was said twice")
    assert "running" in rota.quick("status").out


def _what_happened(rota: Rota) -> None:
    assert "hello" in rota.quick("list").out
    eventually(lambda: "hello\n" in rota("logs", "hello").out, "the log has what it printed")
    why = rota.quick("why", "hello").out
    assert "ran: started when due" in why
    assert "Next: " in why
    history = rota.quick("history", "hello")
    assert history.out.splitlines()[0].split() == ["RUN", "DUE", "(London)", "BY", "STATE", "TOOK", "REASON"]
    assert "succeeded" in history.out
    shown = rota.quick("show", "hello").out
    assert "every 1s" in shown
    assert "run echo hello" in shown


def _by_hand(rota: Rota) -> None:
    rota(
        "add", "greet", "--run", 'echo "dear {{ params.who }}"; sleep 1; echo bye', "--set", 'params=["who"]'
    )
    waited = rota("run", "greet", "--wait", "--param", "who=Ann")
    assert waited.out == "dear Ann\nbye\n"
    assert "greet succeeded" in waited.err
    queued = rota("run", "greet", "-p", "who=Bo")
    run_id = queued.out.strip()
    assert run_id
    assert rota("logs", run_id, "-f").out == "dear Bo\nbye\n"
    assert rota.runs("greet")[0]["id"] == run_id
    assert rota.runs("greet")[0]["state"] == "succeeded"


def _a_pause(rota: Rota) -> None:
    assert "rota resume hello" in rota.quick("pause", "hello", "--reason", "too loud").err
    time.sleep(0.5)  # what had started before may still write
    before = len(rota.lines("said.txt"))
    time.sleep(2.5)
    assert len(rota.lines("said.txt")) == before
    assert "too loud" in rota.quick("why", "hello").out
    assert "paused" in rota.quick("list").out
    rota.quick("resume", "hello")
    eventually(lambda: len(rota.lines("said.txt")) > before, "it fires again")
    assert "skipped: the job was paused" in rota.quick("why", "hello", "-n", "100").out


def _an_edit(rota: Rota) -> None:
    path = ".rota/jobs/hello.yaml"
    rota.write(path, "# my first job\n" + rota.read(path).replace("every 1s", "every 1s # often"))
    rota.quick("edit", "hello", "--set", "schedule=every 2h", "--set", "description=Says hello")
    text = rota.read(path)
    assert "# my first job" in text
    assert "schedule: every 2h # often" in text
    assert "description: Says hello" in text
    eventually(lambda: "every 2h" in rota.quick("list").out)
    rota.quick("edit", "hello", "--unset", "description")
    assert "description" not in rota.read(path)


def _the_end(rota: Rota) -> None:
    removed = rota.quick("remove", "hello", "--yes")
    assert "Its history stays" in removed.err
    assert not (rota.root / ".rota/jobs/hello.yaml").exists()
    assert rota.ids() == ["greet"]
    assert "was removed" in rota.quick("why", "hello").out
    pid = rota.daemon_pid()
    assert "stopped" in rota("down").err
    assert not alive(pid)
    assert "not running" in rota.quick("status").out
