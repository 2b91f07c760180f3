"""`make soak`: kill the daemon at random moments, again and again, and see whether anything was lost or doubled.

A workspace with runs short and long is looked after by a real daemon, which is ended with kill -9 (as is its
spawner, or both) and started again at once. Then it may come to rest, and the state is compared with what the
steps themselves wrote down.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tests.support.invariants import Inspection
from tests.support.load import (
    EXPECTED,
    TWO_MINUTES_LATER,
    ask_state,
    change_state,
    lay_out,
    settle,
    step,
    survivors,
)
from tests.support.rota import Rota, eventually, new_workspace, run_here

from rota.app.control import nudge

REST = 300.0
# Long runs whose children hide: in a session of their own, with parents that are gone.
LONG = "schedule: every 7s\noverlap: allow\nsteps:\n" + step("one", "sleep 1") + step(
    "two", "setsid sleep 300 &\n(sleep 300 & setsid sh -c 'sleep 300 & sleep 301' &)\nsleep 2"
) + step("three", "trap '' TERM\nsleep 1")  # fmt: skip
PYTHON = "schedule: every 3s\noverlap: allow\nsteps:\n" + "".join(
    f"  - {{id: {name}, python: 'scripts/work.py:work', args: {{seconds: {seconds}}}}}\n"
    for name, seconds in (("one", 0.2), ("two", 1.5))
)
TO_CANCEL = "SELECT id FROM runs WHERE state IN ('queued', 'running') AND job_id IN ('long', 'hand', 'tick')"
HAND = "overlap: allow\nsteps:\n" + step("one", "sleep 0.5") + step("two", "sleep 3")


@dataclass
class Soak:
    """One soak: what is killed when comes from `random`."""

    rota: Rota
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    by_hand: list[subprocess.Popen[str]] = field(default_factory=list)
    cancelled: int = 0
    ended_itself: int = 0

    def run(self, kills: int, seconds: float) -> None:
        """Kill that many times, for at most so long."""
        lay_out(self.rota)
        for job_id, text in {"long": LONG, "python": PYTHON, "hand": HAND}.items():
            self.rota.job(job_id, text)
        until = time.monotonic() + seconds
        while self.kills.total() < kills and time.monotonic() < until:
            daemon = self._start()
            if self.chance.random() < 0.3:  # while it starts
                time.sleep(self.chance.uniform(0.0, 1.0))
            else:
                self._wait_until_it_works()
                time.sleep(self.chance.uniform(0.0, 3.0))
                self._disturb()
            self._kill(daemon)

    def rest(self) -> Inspection:
        """Let it come to rest; what is found then."""
        for process in self.by_hand:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(REST)
        change_state(self.rota, TWO_MINUTES_LATER)
        self.rota.up()
        return settle(self.rota, EXPECTED, within=REST)

    def _start(self) -> psutil.Process:
        with (self.rota.root / "daemon.out").open("ab") as out:
            process = subprocess.Popen(
                self.rota.argv("up"), stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.rota.root,
                env=self.rota.environment(), start_new_session=True,
            )  # fmt: skip
        return psutil.Process(process.pid)

    def _wait_until_it_works(self) -> None:
        """Its last act before its loops is to listen."""
        with contextlib.suppress(AssertionError):
            eventually(lambda: nudge(self.rota.layout), within=60)

    def _disturb(self) -> None:
        """What people do meanwhile: start runs, cancel runs."""
        if self.chance.random() < 0.3:
            self.by_hand.append(self.rota.start("run", "hand"))
        if self.chance.random() < 0.3:
            with contextlib.suppress(sqlite3.OperationalError):  # the state is only just being made
                if found := ask_state(self.rota, TO_CANCEL):
                    said = run_here("-w", str(self.rota.root), "cancel", self.chance.choice(found)[0])
                    self.cancelled += said.code == 0

    def _kill(self, daemon: psutil.Process) -> None:
        kind = self.chance.choices(("daemon", "both", "spawner"), (5, 4, 1))[0]
        spawners = _spawners(daemon)
        if kind == "spawner" and spawners:
            _kill_9(spawners)
            time.sleep(self.chance.uniform(0.0, 1.0))
            self.kills[kind] += 1
        victims = [daemon, *spawners] if kind == "both" else [daemon]
        self.chance.shuffle(victims)
        _kill_9(victims)
        if daemon.wait(60) != -signal.SIGKILL:
            self.ended_itself += 1
            return
        self.kills["both" if kind == "both" and spawners else "daemon"] += 1


def _spawners(daemon: psutil.Process) -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.Error):
        for child in daemon.children():
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                if "rota.engine.spawner_child" in child.cmdline():
                    found.append(child)
    return found


def _kill_9(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            os.kill(process.pid, signal.SIGKILL)


def report(soak: Soak, found: Inspection, seed: int, seconds: float) -> tuple[str, bool]:
    """The table, and whether all is well."""
    tally, wrong = found.tally(), found.unrest()
    alive = survivors(soak.rota)
    rows: list[tuple[str, object]] = [
        ("seed", seed),
        (
            "machine",
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        ),
        ("kill -9", f"{soak.kills.total()} ({_listed(soak.kills)})"),
        ("duration", f"{seconds:.0f} s"),
        ("moments due", tally.due),
        ("in the ledger (with runs by hand and after others)", _listed(tally.outcomes)),
        ("runs", f"{sum(tally.runs.values())} ({_listed(tally.runs)})"),
        ("cancel requests", soak.cancelled),
        ("steps at their end", tally.steps),
        ("steps in flight at a kill", tally.interrupted),
        ("... of which ran again", tally.tried_again),
        ("messages", f"{len(found.rows['outbox'])}, told {found.told.total()} times"),
        *((kind, len(wrong.get(kind, ()))) for kind in found.kinds),
        ("daemons that ended by themselves", soak.ended_itself),
        ("processes that survived", len(alive)),
    ]
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    lines += [f"\n{kind}:\n" + "\n".join(f"- {text}" for text in wrong[kind][:50]) for kind in wrong]
    lines += ["\nprocesses that survived:", *alive] if alive else []
    return "\n".join(lines), not (wrong or alive or soak.ended_itself)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))


def soaked(root: Path, *, kills: int, seed: int, seconds: float) -> tuple[str, bool]:
    """Soak a new workspace at `root`; the report, and whether all is well."""
    began = time.monotonic()
    with new_workspace(root) as rota:
        soak = Soak(rota, random.Random(seed))
        soak.run(kills, seconds)
        found = soak.rest()
        return report(soak, found, seed, time.monotonic() - began)


def main() -> int:
    """Exit code 1 when something was lost, doubled or left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="of what is killed when")
    parser.add_argument("--minutes", type=float, default=15.0, help="of killing, at most")
    parser.add_argument("--report", type=Path, help="a file for the table, too")
    options = parser.parse_args()
    seed = random.randrange(10_000) if options.seed is None else options.seed
    with tempfile.TemporaryDirectory(prefix="rota-soak-") as folder:
        text, well = soaked(
            Path(folder) / "work", kills=options.kills, seed=seed, seconds=options.minutes * 60
        )
    print(text)
    if options.report:
        options.report.write_text(text + "\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
