"""What polling costs while nothing is new: many triggers on a calendar that stays as it is."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psutil

from bench.workspace import Bench, wait_until
from rota.app.wiring import App
from rota.model.looks import LookRecord

# What the figure speaks of: a thousand sources, each asked as often as a poll is unless its job says otherwise.
SOURCES, EVERY = 1_000, 900.0
CALENDAR = (
    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20200101\nRRULE:FREQ=DAILY\nSUMMARY:work\n"
    "END:VEVENT\nEND:VCALENDAR\n"
)


def unchanged(count: int, every: int, seconds: float, folder: Path) -> dict[str, float]:
    """`count` polls every `every` seconds, of which none finds anything; a RuntimeError when one of them costs a run.

    The share of a core (the daemon and what it started) is that of a thousand sources polled every 15 minutes.
    """
    bench = Bench(folder)
    calendar = bench.root / "calendar" / "home.ics"
    calendar.parent.mkdir(exist_ok=True)
    calendar.write_text(CALENDAR)
    for number in range(count):
        bench.job(
            f"poll-{number}",
            f"on: [{{poll: calendar, every: {every}s, from: 2026-01-01, days: {1 + number % 300}}}]\nrun: 'true'\n",
        )
    with bench.daemon() as (process, _), bench.opened() as app:
        wait_until(lambda: all(look.fingerprint for look in _looks(app)), 300, 1)
        time.sleep(every)  # once more, so that what a first poll costs is over
        cpu = _cpu(process)
        time.sleep(seconds)
        spent = _cpu(process) - cpu
        if app.store.read(lambda tx: tx.runs.recent(limit=1)):
            raise RuntimeError("an unchanged source has started a run")
        polls = count * seconds / every
        return {
            "polls_cpu": spent / polls * SOURCES / EVERY * 100,
            "polls_ms": spent / polls * 1e3,
            "polls_rss": process.memory_info().rss / 1e6,
        }


def _looks(app: App) -> list[LookRecord]:
    return app.store.read(lambda tx: tx.looks.all())


def _cpu(daemon: psutil.Process) -> float:
    """Seconds of CPU of the daemon and of all that it has started."""
    spent = 0.0
    for process in [daemon, *daemon.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system
    times = daemon.cpu_times()
    return spent + times.children_user + times.children_system
