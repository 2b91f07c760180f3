"""Makes a copy of examples/personal-os look lived in today: dates, a calendar of this week, git history.

    python scripts/demo_workspace.py FOLDER [YYYY-MM-DD]

The example works without it; its dates are then those of the week it was written in. What is made
depends on the day alone. Running it again, on the same or a later day, is harmless.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path

_AS_OF = re.compile(r"Dates as of (\d{4}-\d\d-\d\d)")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_DATED = ("tasks.md", "promises.md", "notes", "projects")
_AUTHOR = ("Mara Ellison", "mara@example.org")

# Days before today, when, what, and the line that is added to which file.
_COMMITS = (
    (1, "09:12", "Sketch the empty states of the settings flow", "projects/settings-redesign.md",
     "- Empty states sketched; the shared plan needs words, not a picture."),
    (1, "14:40", "Notes on the consent screen for Halden", "notes/people/dana-whitlock.md",
     "- Consent screen: she wants the short variant first."),
    (1, "21:05", "Measure the attic again", "projects/attic.md",
     "- Third measurement: 2.04 m. Believing it now."),
    (0, "00:12", "An idea for the film, before it is gone", "projects/onboarding-film.md",
     "- Start with the second login, not the first."),
)  # fmt: skip

_THIS_WEEK = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Mara//This week//EN
X-WR-CALNAME:This week
BEGIN:VTIMEZONE
TZID:America/New_York
BEGIN:STANDARD
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:week-jon@example.org
DTSTART;VALUE=DATE:{yesterday}
DTEND;VALUE=DATE:{in_two_days}
SUMMARY:Jon in Bristol
END:VEVENT
BEGIN:VEVENT
UID:week-dog@example.org
DTSTART;TZID=Europe/London:{three_days_ago}T123000
DTEND;TZID=Europe/London:{three_days_ago}T130000
RRULE:FREQ=DAILY;COUNT=7
EXDATE;TZID=Europe/London:{tomorrow}T123000
SUMMARY:Walk the neighbours' dog
END:VEVENT
BEGIN:VEVENT
UID:week-dog@example.org
RECURRENCE-ID;TZID=Europe/London:{today}T123000
DTSTART;TZID=Europe/London:{today}T131500
DTEND;TZID=Europe/London:{today}T134500
SEQUENCE:1
SUMMARY:Walk the neighbours' dog
END:VEVENT
BEGIN:VEVENT
UID:week-piano@example.org
DTSTART;TZID=Europe/London:{three_days_ago}T180000
DTEND;TZID=Europe/London:{three_days_ago}T183000
RRULE:FREQ=DAILY;COUNT=7
SUMMARY:Ines: piano practice
END:VEVENT
BEGIN:VEVENT
UID:week-piano@example.org
RECURRENCE-ID;TZID=Europe/London:{today}T180000
DTSTART;TZID=Europe/London:{today}T180000
DTEND;TZID=Europe/London:{today}T183000
STATUS:CANCELLED
SEQUENCE:1
SUMMARY:Ines: piano practice
END:VEVENT
BEGIN:VEVENT
UID:week-lucia@example.org
DTSTART;TZID=America/New_York:{today}T133000
DURATION:PT30M
LOCATION:https://meet.google.com/tgu-iqfc-pwo
SUMMARY:Call with Aunt Lucy
END:VEVENT
END:VCALENDAR
"""


def freshen(workspace: Path, today: date) -> None:
    """Move the dates of a copy of the example to `today`, add calendar/this-week.ics and commits.

    The commits are yesterday's and today's, by the workspace's own author; they are left out where
    git is not installed, or refuses.
    """
    moved = _shift_dates(workspace, today)
    _write_this_week(workspace, today)
    try:
        if not (workspace / ".git").exists():
            _begin_history(workspace, today)
        elif moved:
            _git(workspace, "add", "--all")
            _commit(workspace, "Go through tasks and notes", _at(today, 1, "17:40"))
    except (OSError, subprocess.SubprocessError) as error:
        print(f"no git history: {error}", file=sys.stderr)


def _shift_dates(workspace: Path, today: date) -> bool:
    stated = _AS_OF.search((workspace / "tasks.md").read_text(encoding="utf-8"))
    by = today - date.fromisoformat(stated[1]) if stated else timedelta(0)
    if not by:
        return False

    def shifted(text: str) -> str:
        return _DATE.sub(lambda found: str(date.fromisoformat(found[0]) + by), text)

    files = [f for name in _DATED for f in _files(workspace / name)]
    for file in files:
        file.write_text(shifted(file.read_text(encoding="utf-8")), encoding="utf-8")
    # In the order in which no new name is one that is still there.
    for file in sorted(files, reverse=by > timedelta(0)):
        file.rename(file.with_name(shifted(file.name)))
    return True


def _files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.md")) if place.is_dir() else [place]


def _write_this_week(workspace: Path, today: date) -> None:
    days = {"three_days_ago": -3, "yesterday": -1, "today": 0, "tomorrow": 1, "in_two_days": 2}
    text = _THIS_WEEK.format(**{name: f"{today + timedelta(days=n):%Y%m%d}" for name, n in days.items()})
    (workspace / "calendar" / "this-week.ics").write_bytes(text.replace("\n", "\r\n").encode())


def _begin_history(workspace: Path, today: date) -> None:
    name, email = _AUTHOR
    _git(workspace, "init", "--quiet")
    for key, value in {"user.name": name, "user.email": email, "commit.gpgsign": "false"}.items():
        _git(workspace, "config", key, value)
    _git(workspace, "add", "--all")
    _commit(workspace, "Start a workspace", _at(today, 4, "18:05"))
    for days_ago, clock, subject, file, line in _COMMITS:
        with (workspace / file).open("a", encoding="utf-8") as note:
            note.write(f"{line}\n")
        _git(workspace, "add", "--", file)
        _commit(workspace, subject, _at(today, days_ago, clock))


def _at(today: date, days_ago: int, clock: str) -> datetime:
    return datetime.combine(today - timedelta(days=days_ago), time.fromisoformat(clock))


def _commit(workspace: Path, subject: str, when: datetime) -> None:
    # Without an offset, git takes the time as one of TZ.
    stamp = f"{when:%Y-%m-%dT%H:%M:%S}"
    _git(workspace, "commit", "--quiet", "--no-verify", "-m", subject, date=stamp)


def _git(workspace: Path, *arguments: str, date: str = "") -> None:
    # A repository around this one, or settings of whoever runs the demo, must not play a part.
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "TZ": "Europe/London"}
    if date:
        env |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    subprocess.run(["git", *arguments], cwd=workspace, env=env, check=True, timeout=60)


if __name__ == "__main__":
    freshen(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]) if sys.argv[2:] else date.today())  # noqa: DTZ011  the day where the demo is run
