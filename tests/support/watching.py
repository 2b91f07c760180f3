"""What a user looks at while something goes wrong: does it fire, what does the ledger say, what the log?"""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.support.rota import Rota, eventually

EVERY_SECOND = 'schedule: every 1s\nsteps:\n  - run: "echo x >> {file}"\n'


def goes_on(rota: Rota, file: str, times: int = 2, within: float = 90.0) -> None:
    """A job that adds a line to `file` does so `times` more."""
    before = len(rota.lines(file))
    eventually(lambda: len(rota.lines(file)) >= before + times, f"{file} grows", within)


def ledger(rota: Rota, job_id: str, limit: int = 2000) -> list[dict[str, Any]]:
    """The occurrences of a job, oldest first, as `rota why --json` gives them."""
    rows: list[dict[str, Any]] = rota.quick("why", job_id, "--json", "-n", str(limit)).json["occurrences"]
    return rows[::-1]


def outcomes(rota: Rota, job_id: str) -> list[tuple[str, str]]:
    """Outcome and reason code of each occurrence, oldest first."""
    return [(row["outcome"], row["reason"]["code"]) for row in ledger(rota, job_id)]


def moments(rota: Rota, job_id: str) -> list[datetime]:
    """Every moment that the ledger of an `every 1s` job answers for, in order."""
    found: list[datetime] = []
    for row in ledger(rota, job_id):
        due = datetime.fromisoformat(row["due_at"])
        found += [due + timedelta(seconds=number) for number in range(row["count"])]
    return sorted(found)


def nothing_lost(rota: Rota, job_id: str) -> None:
    """From the first to the last moment of an `every 1s` job, each is in the ledger, and once."""
    found = moments(rota, job_id)
    gaps = {(later - earlier).total_seconds() for earlier, later in pairwise(found)}
    assert gaps == {1.0}, gaps


def log_lines(rota: Rota) -> list[dict[str, Any]]:
    """The daemon's log; half a line, as a full disk leaves it, is left out."""
    found = []
    for line in rota.lines(".rota/logs/daemon.log"):
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def logged(rota: Rota, event: str) -> list[dict[str, Any]]:
    """What the daemon's log says of one kind of event."""
    return [line for line in log_lines(rota) if line.get("event") == event]
