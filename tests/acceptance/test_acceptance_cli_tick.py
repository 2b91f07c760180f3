"""Without a daemon, or beside one: `rota tick` from cron, and `rota due`."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from typing import Any

from tests.support.rota import Rota, eventually

EVERY_SECOND = "schedule: every 1s\ncatch_up: all\noverlap: queue\nsteps:\n  - run: echo {{ occurrence.key }} >> keys.txt\n"


def keys_of(rota: Rota) -> list[str]:
    return rota.lines("keys.txt")


def ended(ticks: list[subprocess.Popen[str]]) -> list[tuple[str, str]]:
    """What each said, when all have ended well."""
    said = [tick.communicate(timeout=90) for tick in ticks]
    assert [tick.returncode for tick in ticks] == [0] * len(ticks), said
    return said


def test_a_tick_from_cron(rota: Rota) -> None:
    rota.job("hello", "schedule: every 1h\nsteps:\n  - run: echo x >> said.txt\n")
    assert "Nothing was due" in rota("tick").err
    rota.quick("edit", "hello", "--set", "schedule=every 2s")
    eventually(lambda: rota.quick("due", "--json").json, "something is due")
    ran = rota("tick")
    assert ran.out.startswith("hello succeeded")
    assert rota.lines("said.txt") == ["x"]
    ledger = rota.quick("why", "hello", "--json").json["occurrences"]
    assert ledger[0]["outcome"] == "ran"


def test_a_tick_whose_run_fails_says_so(rota: Rota) -> None:
    rota.job("bad", "schedule: every 1s\nsteps:\n  - run: exit 3\n")
    rota.quick("list")
    eventually(lambda: rota.quick("due", "--json").json)
    said = rota("tick", code=1)
    assert "bad failed: step `run`: exit code 3" in said.out


def test_due_shows_and_runs_what_is_due(rota: Rota) -> None:
    rota.job("hello", "schedule: every 2s\nsteps:\n  - run: echo x >> said.txt\n")
    rota.quick("list")
    eventually(lambda: "hello" in rota.quick("due").out, "it is due")
    assert "not noticed yet" in rota.quick("due").out
    assert not rota.lines("said.txt")
    assert "hello succeeded" in rota("due", "--run").out
    assert rota.lines("said.txt") == ["x"]


def test_two_ticks_at_once_run_each_occurrence_once(rota: Rota) -> None:
    rota.job("each", EVERY_SECOND)
    rota.quick("list")
    time.sleep(3)
    ended([rota.start("tick"), rota.start("tick"), rota.start("tick")])
    counts = Counter(keys_of(rota))
    assert len(counts) >= 3
    assert set(counts.values()) == {1}


def test_ticks_beside_a_daemon(rota: Rota) -> None:
    rota.job("each", EVERY_SECOND)
    rota.up()
    for _ in range(3):
        ended([rota.start("tick"), rota.start("tick")])
    eventually(lambda: len(keys_of(rota)) >= 5, "it goes on")
    rota("down")
    ledger: list[dict[str, Any]] = rota.quick("why", "each", "-n", "500", "--json").json["occurrences"]
    ran = [o["key"] for o in ledger if o["outcome"] == "ran" and o["run_state"] == "succeeded"]
    assert sorted(keys_of(rota)) == sorted(ran), "every occurrence that ran, ran once"
    moments = sorted(o["due_at"] for o in ledger)
    assert len(moments) == len(set(moments)), "and every moment is in the ledger once"
