"""examples/personal-os: what its calendars, its notes and its page say, on all sorts of days."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scripts.demo_workspace import freshen
from tests.support.example_agenda import LONDON, expected_agenda

from rota.app.kinds import kinds
from rota.sources.calendar import pull
from rota.spec import parse_config, parse_file
from rota.templates import StepsView, render

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "personal-os"
WRITTEN = date(2026, 11, 23)  # the day that the dates in its notes are about
DAYS = [
    date(2026, 11, 23),  # a full Monday
    date(2026, 11, 24),  # the stand-up is moved
    date(2026, 11, 26),  # ... and cancelled
    date(2026, 3, 29),  # clocks forward
    date(2026, 10, 25),  # and back
    date(2026, 10, 27),  # New York has not followed yet
    date(2026, 12, 25),
    date(2026, 12, 29),  # the sleeper arrives
    date(2028, 2, 29),
    date(2031, 8, 16),  # a Saturday
]


def agendas(workspace: Path, first: date, days: int) -> dict[date, list[str]]:
    """The lines of the source's agenda by day."""
    config = {"from": str(first), "days": days}
    got = pull(config, str(workspace), f"{first}T06:30:00+00:00", "Europe/London")
    assert got["note"] == ""
    sections = got["text"].removeprefix("## ").split("\n\n## ") if days > 1 else [got["text"]]
    lines = [[line for line in section.splitlines() if line.startswith("- ")] for section in sections]
    return {first + timedelta(n): found for n, found in enumerate(lines)}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example, which is also the current folder, as it is for a step."""
    copy = tmp_path / "mara"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def collect() -> ModuleType:
    """scripts/collect.py of the example."""
    spec = importlib.util.spec_from_file_location("collect", EXAMPLE / "scripts" / "collect.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the calendars -------------------------------------------------------------------------------


@pytest.mark.parametrize("year", range(2025, 2036))
def test_every_day_has_the_agenda_of_the_table(year: int) -> None:
    first = date(year, 1, 1)
    found = agendas(EXAMPLE, first, (date(year + 1, 1, 1) - first).days)
    assert found == {day: expected_agenda(day) for day in found}
    assert all(found.values())


@pytest.mark.parametrize("today", DAYS)
def test_the_week_of_a_freshened_workspace(workspace: Path, today: date) -> None:
    freshen(workspace, today)
    found = agendas(workspace, today - timedelta(4), 9)
    assert found == {day: expected_agenda(day, today) for day in found}


# --- the notes -----------------------------------------------------------------------------------


def texts(tasks: list[dict[str, Any]]) -> list[str]:
    return [f"{task['when']}: {task['text']} ({task['area']})" for task in tasks]


@pytest.mark.parametrize("today", [WRITTEN, *DAYS[3:6], DAYS[8]])
def test_what_is_due_on_the_day_that_the_workspace_is_made_for(
    workspace: Path, collect: ModuleType, today: date
) -> None:
    freshen(workspace, today)
    found = collect.tasks(str(today))
    assert texts(found["overdue"]) == [
        "3 days late: Send Halden the October invoice (Studio)",
        "1 day late: Reply to the letting agent about the boiler (Home)",
    ]
    assert texts(found["due"]) == [
        "today: Sign the form for Ines's school trip (Home)",
        "today: Write up the usability test of the settings flow (Studio)",
        "today: Comment on Tom's icon set (Studio)",
    ]
    assert [task["text"] for task in found["soon"]] == [
        "Order Theo's birthday cake", "Storyboard for the onboarding film",
    ]  # fmt: skip
    assert (found["open"], found["unreadable"]) == (14, [])


def test_what_is_due_changes_with_the_day(workspace: Path, collect: ModuleType) -> None:
    early, late = collect.tasks("2026-11-01"), collect.tasks("2026-11-25", ahead=7)
    assert (early["overdue"], early["due"], early["soon"]) == ([], [], [])
    assert [len(late[key]) for key in ("overdue", "due", "soon")] == [5, 2, 2]
    assert texts(late["soon"])[0] == "Fri 27 Nov: Pick five people for the December test round (Studio)"


def test_tasks_in_every_form(workspace: Path, collect: ModuleType) -> None:
    Path("odd.md").write_text(
        "- [ ] Loose 📅 2026-11-23\n# A\n* [ ] Star (due 2026-11-23) 🔁 every week\n  - [/] Begun 📅 2026-11-23 🔺\n"
        "- [ ] No date\n- [ ] Bad 📅 soon\n- [x] Done 📅 2026-11-23\n- [-] Dropped 📅 2026-11-23\n- Just a line\n"
        "- [ ] New year ⏳ 2026-12-01 📅 2027-01-01 ⏫\n",
        encoding="utf-8",
    )
    found = collect.tasks("2026-11-23", "odd.md", 60)
    assert [(t["text"], t["area"]) for t in found["due"]] == [("Begun", "A"), ("Loose", ""), ("Star", "A")]
    assert texts(found["soon"]) == ["Fri 1 Jan 2027: New year (A)"]
    assert (found["unreadable"], found["open"]) == (["Bad"], 6)
    assert collect.tasks("2026-11-23", "nowhere.md")["open"] == 0


def test_open_promises_say_to_whom_and_since_when(workspace: Path, collect: ModuleType) -> None:
    found = collect.promises(str(WRITTEN))
    assert [(p["who"], p["what"], p["age"], p["when"]) for p in found["mine"]] == [
        ("Priya", "a one-page case for the December test round", "since Thu 19 Nov", "Thu 26 Nov"),
        ("Sam", "the first draft of the settings flow", "since Thu 19 Nov", "Fri 27 Nov"),
        ("Mum", "photos of the school play on paper", "since Sun 8 Nov", ""),
    ]
    assert [(p["who"], p["age"], p["late"]) for p in found["theirs"]] == [
        ("Dana", "since Mon 16 Nov", True),
        ("Kelly", "since Tue 10 Nov", False),
        ("Marcus", "since Tue 17 Nov", False),
        ("Priya", "since Thu 19 Nov", False),
    ]
    assert found["open"] == 7
    assert collect.promises(str(WRITTEN), ["nowhere"])["open"] == 0


def test_the_headline(collect: ModuleType) -> None:
    assert collect.headline("3", "2", "1") == "3 events, 2 due, 1 overdue"
    assert collect.headline(1, 0, 0) == "1 event, nothing due"
    assert collect.headline(0, 0, 2) == "no events, nothing due, 2 overdue"


def test_the_days_around_a_day(collect: ModuleType) -> None:
    assert collect.day("2028-03-01") == {"yesterday": "2028-02-29", "tomorrow": "2028-03-02"}


# --- the page ------------------------------------------------------------------------------------

EMPTY: dict[str, tuple[str, dict[str, Any]]] = {
    "calendar": ("Nothing on the calendar.\n", {"items": [], "count": 0}),
    "tasks": ("", {"overdue": [], "due": [], "soon": [], "unreadable": [], "open": 0}),
    "promises": ("", {"mine": [], "theirs": [], "open": 0}),
    "commits": ("", {}),
    "headline": ("no events, nothing due", {}),
}


def page(**steps: tuple[str, dict[str, Any]]) -> list[str]:
    """The lines of today.md from what the steps gave."""
    made = {k: {"output": o, "state": "succeeded", "values": v} for k, (o, v) in (EMPTY | steps).items()}
    now = datetime(2026, 11, 23, 6, 30, tzinfo=LONDON)
    values = {"steps": StepsView(made), "now": now, "today": now.date()}
    text = render((EXAMPLE / "templates" / "today.md").read_text(encoding="utf-8"), values)
    assert text.endswith("\n")
    assert "\n\n\n" not in text
    assert not any(line != line.rstrip() for line in text.splitlines())
    return text.splitlines()


def test_the_page_of_an_empty_day_has_no_empty_sections() -> None:
    assert [line for line in page() if line] == [
        "# Monday 23 November: no events, nothing due",
        "Nothing on the calendar.",
        "Nothing due.",
        "No open promises.",
        "No commits yesterday.",
        "*Prepared at 06:30.*",
    ]


def test_the_page_of_a_full_day() -> None:
    late = {"text": "Invoice", "when": "3 days late", "area": "Studio"}
    soon = [{"text": "Cake", "when": "tomorrow"}, {"text": "Film", "when": "Fri 27 Nov"}]
    promise = {
        "who": "Sam",
        "what": "the draft",
        "age": "since Thu 19 Nov",
        "when": "tomorrow",
        "late": False,
    }
    owed = {**promise, "who": "Dana", "what": "the contract", "when": "2 days late", "late": True}
    tasks = {"overdue": [late], "due": [{**late, "when": "today"}], "soon": soon, "unreadable": ["Odd"]}
    lines = page(
        calendar=("- 09:30 Stand-up\n", {"items": [{}], "count": 1}),
        tasks=("", tasks),
        promises=("", {"mine": [promise], "theirs": [owed], "open": 2}),
        commits=("09:12 Sketch\n14:40 Notes\n", {}),
        headline=("1 event, 1 due, 1 overdue", {}),
    )
    assert lines == [
        "# Monday 23 November: 1 event, 1 due, 1 overdue", "",
        "## Calendar", "", "- 09:30 Stand-up", "",
        "## Due", "", "- **3 days late:** Invoice (Studio)", "- **today:** Invoice (Studio)", "",
        "Coming up: Cake (tomorrow); Film (Fri 27 Nov).", "",
        "*No date that can be read:* Odd", "",
        "## Promises", "",
        "- To **Sam**: the draft – since Thu 19 Nov, due **tomorrow**",
        "- From Dana: the contract – waiting since Thu 19 Nov, **2 days late**", "",
        "## Yesterday", "", "- 09:12 Sketch", "- 14:40 Notes", "",
        "*Prepared at 06:30.*",
    ]  # fmt: skip


@pytest.mark.parametrize("missing", ["calendar", "tasks", "promises", "commits"])
def test_any_part_of_the_page_may_be_empty(missing: str) -> None:
    full: dict[str, tuple[str, dict[str, Any]]] = {
        "calendar": ("- 09:30 Stand-up\n", {"items": [{}], "count": 1}),
        "tasks": ("", {**EMPTY["tasks"][1], "due": [{"text": "A", "when": "today", "area": ""}]}),
        "promises": (
            "",
            {"mine": [{"who": "S", "what": "d", "age": "", "when": ""}], "theirs": [], "open": 1},
        ),
        "commits": ("09:12 Sketch\n", {}),
    }
    del full[missing]
    headings = {line for line in page(**full) if line.startswith("## ")}
    names = {"calendar": "Calendar", "tasks": "Due", "promises": "Promises", "commits": "Yesterday"}
    assert headings == {f"## {name}" for key, name in names.items() if key != missing}


# --- files that rota reads -----------------------------------------------------------------------


def test_the_settings_and_every_job_file_are_right() -> None:
    catalog = kinds().catalog
    settings = parse_config((EXAMPLE / ".rota/rota.yaml").read_text(), ".rota/rota.yaml", catalog)
    assert settings.errors == ()
    assert settings.config is not None
    jobs: dict[str, list[str]] = {}
    for file in sorted([*(EXAMPLE / ".rota/jobs").iterdir(), *(EXAMPLE / ".rota/hooks").iterdir()]):
        result = parse_file(
            file.read_text(), file.relative_to(EXAMPLE).as_posix(), catalog, channels=settings.config.channels,
            timezone=settings.config.timezone,
        )  # fmt: skip
        assert result.errors == ()
        jobs |= {parsed.job.id: [trigger.text for trigger in parsed.job.triggers] for parsed in result.jobs}
    assert jobs == {
        "daily-nudge": ["0 8 * * *"],
        "daily-reflection": ["0 21 * * *"],
        "krisp": ["krisp"],
        "krisp-poll": ["krisp"],
        "morning-prep": ["30 6 * * *"],
        "notion-sync": ["notion"],
        "promises": ["promises.md"],
        "weekly-plan": ["0 20 * * 0"],
    }


def test_a_notification_arrives_without_anything_installed(workspace: Path) -> None:
    env = {"PATH": os.environ["PATH"], "ROTA_JOB": "morning-prep", "ROTA_TITLE": "Morning"}
    for body in ("3 events", "and\nmore"):
        script = ["sh", "scripts/log-notification.sh"]
        subprocess.run(script, cwd=workspace, env=env, input=body, text=True, check=True, timeout=60)
    log = (workspace / "now" / "notifications.log").read_text()
    assert [line.partition("  ")[2] for line in log.splitlines()] == ["Morning: 3 events", "Morning: and", ""]


# --- a workspace that looks lived in -------------------------------------------------------------


@pytest.fixture
def bare_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings of git anywhere, as on a new machine, and a hostile environment."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another.git"))
    yield
    assert list(home.iterdir()) == []


def commits(workspace: Path, day: date) -> list[str]:
    """What the command of morning-prep prints for a day."""
    log = ["git", "log", f"--since={day}T00:00:00", f"--until={day}T23:59:59", "--reverse",
           "--date=format-local:%H:%M", "--format=%ad %an %s", "--", "."]  # fmt: skip
    env = {"PATH": os.environ["PATH"], "TZ": "Europe/London", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(log, cwd=workspace, env=env, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


@pytest.mark.usefixtures("bare_git")
@pytest.mark.parametrize("today", DAYS[:6])
def test_yesterday_has_commits(workspace: Path, today: date) -> None:
    freshen(workspace, today)
    assert commits(workspace, today - timedelta(1)) == [
        "09:12 Mara Ellison Sketch the empty states of the settings flow",
        "14:40 Mara Ellison Notes on the consent screen for Halden",
        "21:05 Mara Ellison Measure the attic again",
    ]
    assert len(commits(workspace, today)) == 1


@pytest.mark.usefixtures("bare_git")
def test_freshening_again_is_harmless_and_a_day_later_useful(workspace: Path) -> None:
    def notes() -> dict[str, bytes]:
        return {str(f.relative_to(workspace)): f.read_bytes() for f in workspace.rglob("*.md")}

    freshen(workspace, WRITTEN)
    once = notes()
    freshen(workspace, WRITTEN)
    assert notes() == once
    freshen(workspace, WRITTEN + timedelta(2))
    assert "Dates as of 2026-11-25" in (workspace / "tasks.md").read_text(encoding="utf-8")
    assert (workspace / "notes/meetings/2026-11-21-priya.md").is_file()
    assert commits(workspace, WRITTEN + timedelta(1))[-1] == "17:40 Mara Ellison Go through tasks and notes"


def test_without_git_the_rest_is_made(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    freshen(workspace, WRITTEN)
    assert (workspace / "calendar" / "this-week.ics").is_file()
    assert not (workspace / ".git").exists()
