"""Jobs of a workspace whose triggers look at files and poll a calendar; and what of it nobody has run."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime

from tests.support.load import step
from tests.support.rota import Rota

DROP, CALENDAR = "drop", "calendar/home.ics"
FILES = "on: [{files: drop/*.txt, settle: 100ms}]\nsteps:\n" + step("one")
POLLS = "on: [{poll: calendar, every: 1s, days: 2}]\nsteps:\n" + step("one")
AWAY = "on: [{poll: calendar, every: 1s, calendar: nowhere.ics}]\nsteps:\n" + step("one")
FIRST = "here before"


def watch_files(rota: Rota) -> None:
    """The job, known to rota before any of its files came."""
    if not (rota.layout.jobs / "files.yaml").exists():
        rota.job("files", FILES)
        rota("list")


def drop(rota: Rota, count: int = 1) -> None:
    """Somebody saves files, each by a temporary one that is renamed."""
    folder = rota.root / DROP
    folder.mkdir(exist_ok=True)
    for _ in range(count):
        number = len(list(folder.glob("*.txt")))
        beside = folder / f"{number}.tmp"
        beside.write_text(f"file {number}\n")
        beside.rename(folder / f"{number}.txt")


def poll_calendar(rota: Rota) -> None:
    """The job, and a calendar with an event that was there before it."""
    if not (rota.layout.jobs / "polls.yaml").exists():
        note_event(rota, FIRST)
        rota.job("polls", POLLS)
        rota("list")


def note_event(rota: Rota, title: str = "") -> None:
    """Somebody notes an event of today in the calendar."""
    path = rota.root / CALENDAR
    path.parent.mkdir(exist_ok=True)
    events = path.read_text().removesuffix("END:VCALENDAR\n") if path.exists() else "BEGIN:VCALENDAR\n"
    number = events.count("BEGIN:VEVENT")
    today = datetime.now(UTC)
    lines = (
        "BEGIN:VEVENT",
        f"UID:{number}@home",
        f"DTSTART;VALUE=DATE:{today:%Y%m%d}",
        f"SUMMARY:{title or f'event {number}'}",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    beside = path.with_suffix(".new")
    beside.write_text(events + "".join(f"{line}\n" for line in lines))
    beside.replace(path)


def poll_what_is_away(rota: Rota) -> None:
    """A job whose source does not answer."""
    rota.job("away", AWAY)


def not_run_once(rota: Rota) -> list[str]:
    """The files and events for which there is not exactly one run in the ledger, and those that were there before."""
    with closing(sqlite3.connect(rota.layout.state, timeout=60)) as db:
        rows = db.execute(
            "SELECT o.job_id, o.key, o.reason_text FROM occurrences o WHERE o.job_id IN ('files', 'polls')"
            " AND o.outcome = 'ran'"
        ).fetchall()
    files = Counter(key.partition("@")[0] for job, key, _ in rows if job == "files")
    events = Counter(
        said.removeprefix("calendar: ").rpartition(" is new")[0] for job, _, said in rows if job == "polls"
    )
    dropped = [f"{DROP}/{path.name}" for path in (rota.root / DROP).glob("*.txt")]
    text = (rota.root / CALENDAR).read_text() if (rota.root / CALENDAR).exists() else ""
    noted = [line.partition(":")[2] for line in text.splitlines() if line.startswith("SUMMARY:")]
    wrong = [f"{name}: {files[name]}" for name in dropped if files[name] != 1]
    wrong += [f"{title}: {events[title]}" for title in noted if events[title] != (title != FIRST)]
    return wrong
