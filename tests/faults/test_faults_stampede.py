"""Fifty jobs due in one second: all start, the slow and the loud delay none, and commands answer meanwhile."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from tests.support.rota import Rota, eventually

# A second on a quiet machine; this one may be busy with other things, and is made busy here.
ANSWERS_WITHIN = 20.0
HOGS = """
import os, time

def held():
    return not os.path.exists("release")

def sleep():
    while held():
        time.sleep(0.1)

def spin():
    while held():
        pass

def fill():
    while held():
        print("y" * 4000)

def quick():
    return "done"
"""
KINDS = [
    ("sleep", 12, "run: until [ -e release ]; do sleep 0.5; done"),
    ("spin", 3, "run: until [ -e release ]; do :; done"),
    ("fill", 3, "run: yes & until [ -e release ]; do sleep 0.5; done; kill $!"),
    ("quick", 12, "run: echo done"),
    ("py-sleep", 8, "python: functions:sleep"),
    ("py-spin", 2, "python: functions:spin"),
    ("py-fill", 2, "python: functions:fill"),
    ("py-quick", 8, "python: functions:quick"),
]


def test_fifty_jobs_due_in_one_second(rota: Rota) -> None:
    rota.write("functions.py", HOGS)
    due = (datetime.now(UTC) + timedelta(seconds=8)).replace(microsecond=0)
    jobs = [(f"{kind}-{n}", text) for kind, count, text in KINDS for n in range(count)]
    assert len(jobs) == 50
    for job_id, text in jobs:
        rota.job(job_id, f"schedule: at {due.isoformat()}\ntimeout: 120s\n{text}\n")
    rota.up()
    eventually(lambda: datetime.now(UTC) >= due)

    listed = [_seconds(rota, "list", "--json") for _ in range(3)]
    runs = {job_id: eventually(lambda job_id=job_id: rota.runs(job_id), job_id)[0] for job_id, _ in jobs}  # type: ignore[misc] # bound at once
    assert {run["due_at"] for run in runs.values()} == {runs["spin-0"]["due_at"]}
    eventually(lambda: all(rota.runs(job_id)[0]["started_at"] for job_id, _ in jobs), "all of them start")
    started = [datetime.fromisoformat(rota.runs(job_id)[0]["started_at"]) for job_id, _ in jobs]

    for job_id, _ in jobs:
        if "quick" in job_id:
            eventually(lambda job_id=job_id: rota.runs(job_id)[0]["state"] == "succeeded", job_id)  # type: ignore[misc] # bound at once
    assert {rota.runs(job_id)[0]["state"] for job_id, _ in jobs if "quick" not in job_id} == {"running"}
    cancelled = _seconds(rota, "cancel", runs["py-sleep-0"]["id"])
    eventually(lambda: rota.runs("py-sleep-0")[0]["state"] == "cancelled", "it is cancelled")
    listed.append(_seconds(rota, "list", "--json"))
    print(  # noqa: T201 # the figures, for whoever runs it alone
        f"started within {(max(started) - due).total_seconds():.2f} s; "
        f"list {', '.join(f'{took:.2f}' for took in listed)} s; cancel {cancelled:.2f} s"
    )
    assert max(*listed, cancelled) < ANSWERS_WITHIN

    rota.write("release", "")
    eventually(
        lambda: all(rota.runs(job_id)[0]["state"] != "running" for job_id, _ in jobs), "all of them end"
    )
    ends = [rota.runs(job_id)[0]["state"] for job_id, _ in jobs]
    assert sorted(ends) == ["cancelled", *["succeeded"] * 49]
    assert all(len(rota.runs(job_id)) == 1 for job_id, _ in jobs)


def _seconds(rota: Rota, *args: str) -> float:
    begun = time.monotonic()
    rota(*args)
    return time.monotonic() - begun
