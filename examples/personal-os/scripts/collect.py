"""What the jobs of this workspace collect from its Markdown files.

Each function is a step (`python: scripts/collect.py:tasks`): it is called in the workspace with the
step's `args`, and the keys of the dict that it returns are values for the steps after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

# - [ ] Renew the passport 📅 2026-11-27 🔼        as the Tasks plugin of Obsidian writes it
# - [x] Book the train (due: 2026-11-20)           or in words
TASK = re.compile(r"^\s*[-*+] \[(?P<mark>.)\] (?P<text>.+)$")
DUE = re.compile(r"📅\s*(?P<sign>\S+)|\(due:?\s*(?P<word>[^)]+)\)")
PRIORITIES = {"🔺": 0, "⏫": 1, "🔼": 2, "🔽": 4, "⏬": 5}
USUAL = 3
MARKS = re.compile(r"\s*(?:[🔺⏫🔼🔽⏬]|[🛫⏳➕✅❌]\s*\S+|🔁[^📅⏳🛫✅]*)\ufe0f?")

# - promised Sam: the first draft (since 2026-11-19, due 2026-11-27)      mine to keep
# - @waiting Dana: the signed contract (since 2026-11-16)                 owed to me
PROMISE = re.compile(
    r"^\s*[-*+] (?:\[(?P<mark>.)\] )?(?P<kind>promised|@waiting):? (?P<who>[^:]{1,60}): (?P<what>.+)$",
    re.IGNORECASE,
)
SINCE = re.compile(r"since:?\s*(\d{4}-\d\d-\d\d)")
UNTIL = re.compile(r"(?:due|by):?\s*(\d{4}-\d\d-\d\d)")
DETAILS = re.compile(r"\s*\((?:since|due|by)[^)]*\)\s*$")
IN_NAME = re.compile(r"^\d{4}-\d\d-\d\d")


def day(today: str) -> dict[str, str]:
    """The days around today, as dates."""
    now = date.fromisoformat(today)
    return {"yesterday": str(now - timedelta(days=1)), "tomorrow": str(now + timedelta(days=1))}


def tasks(today: str, file: str = "tasks.md", ahead: int = 3) -> dict[str, Any]:
    """Open tasks with a date: `overdue`, `due` (today) and `soon` (the next `ahead` days), urgent ones first.

    Each has text, due, when ("3 days late", "today", "tomorrow", "Fri 27 Nov"), priority and area (the
    heading above it). `unreadable`: tasks whose date is none. `open`: how many are open in all.
    """
    now = date.fromisoformat(today)
    found: list[dict[str, Any]] = []
    unreadable: list[str] = []
    area, count = "", 0
    for line in _lines(Path(file)):
        if line.startswith("#"):
            area = line.lstrip("#").strip()
        task = TASK.match(line)
        if task is None or task["mark"] in "xX-":
            continue
        count += 1
        stated = DUE.search(task["text"])
        if stated is None:
            continue
        due = _date(stated["sign"] or stated["word"])
        text = _plain(DUE.sub("", task["text"]))
        if due is None:
            unreadable.append(text)
            continue
        signs = [level for sign, level in PRIORITIES.items() if sign in task["text"]]
        found.append(
            {"text": text, "due": str(due), "when": _when(due, now), "area": area,
             "priority": min(signs, default=USUAL)}
        )  # fmt: skip
    found.sort(key=lambda task: (task["due"], task["priority"], task["text"]))
    soonest = str(now + timedelta(days=ahead))
    return {
        "overdue": [task for task in found if task["due"] < today],
        "due": sorted((task for task in found if task["due"] == today), key=lambda task: task["priority"]),
        "soon": [task for task in found if today < task["due"] <= soonest],
        "unreadable": unreadable,
        "open": count,
    }


def promises(today: str, places: Iterable[str] = ("promises.md", "notes", "projects")) -> dict[str, Any]:
    """Open promises in Markdown files: `mine` (to others) and `theirs` (to me), those due soonest first.

    Each has who, what, since and due (dates, or ""), age ("since Thu 19 Nov"), when ("in 4 days" or ""),
    late (bool) and file. A promise without `since` is as old as the note, if that has a date for a name.
    """
    now = date.fromisoformat(today)
    found: dict[str, list[dict[str, Any]]] = {"mine": [], "theirs": []}
    for file in _markdown(places):
        dated = IN_NAME.match(file.name)
        for line in _lines(file):
            promise = PROMISE.match(line)
            if promise is None or (promise["mark"] or " ") in "xX-":
                continue
            since = _first_date(SINCE, line) or _date(dated[0] if dated else "")
            due = _first_date(UNTIL, line)
            found["mine" if promise["kind"].lower() == "promised" else "theirs"].append(
                {
                    "who": promise["who"].strip(),
                    "what": DETAILS.sub("", promise["what"]).strip(),
                    "since": str(since or ""),
                    "due": str(due or ""),
                    "age": f"since {_name(since, now)}" if since else "",
                    "when": _when(due, now) if due else "",
                    "late": due is not None and due < now,
                    "file": file.as_posix(),
                }
            )
    for group in found.values():
        group.sort(key=lambda promise: (promise["due"] or "9999", promise["since"] or "9999", promise["who"]))
    return {**found, "open": sum(map(len, found.values()))}


def headline(events: int, due: int, overdue: int) -> str:
    """The day in one line: "3 events, 2 due, 1 overdue"."""
    events, due, overdue = int(events), int(due), int(overdue)
    parts = [
        f"{events} event{'' if events == 1 else 's'}" if events else "no events",
        f"{due} due" if due else "nothing due",
        f"{overdue} overdue" if overdue else "",
    ]
    return ", ".join(filter(None, parts))


def _when(due: date, now: date) -> str:
    days = (due - now).days
    if days < 0:
        return f"{-days} day{'' if days == -1 else 's'} late"
    return {0: "today", 1: "tomorrow"}.get(days, _name(due, now))


def _name(moment: date, now: date) -> str:
    """`Fri 27 Nov`, with the year when it is another one."""
    return f"{moment:%a} {moment.day} {moment:%b}" + (f" {moment.year}" if moment.year != now.year else "")


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def _first_date(pattern: re.Pattern[str], line: str) -> date | None:
    stated = pattern.search(line)
    return _date(stated[1]) if stated else None


def _plain(text: str) -> str:
    return " ".join(MARKS.sub("", text).split())


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def _markdown(places: Iterable[str]) -> Iterator[Path]:
    for place in map(Path, places):
        yield from sorted(place.rglob("*.md")) if place.is_dir() else [place]
