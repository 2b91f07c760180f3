"""The starter `personal-os`: what it promises on its page, without an agent and with one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.example_agenda import expected_agenda
from tests.support.rota import Rota, new_workspace

FAKETIME = shutil.which("faketime")


@pytest.fixture
def mara(tmp_path: Path) -> Iterator[Rota]:
    """The starter, made by `rota init --template`."""
    with new_workspace(tmp_path / "mara", "--template", "personal-os") as rota:
        yield rota


def test_the_starter_is_whole(mara: Rota) -> None:
    active = {"daily-nudge", "daily-reflection", "krisp", "morning-prep", "promises", "weekly-plan"}
    assert set(mara.ids()) == active | {"krisp-poll", "notion-sync"}
    listed = mara.quick("list", "--json").json
    assert {job["id"] for job in listed if job["status"] == "active"} == active, "the others need a key first"
    found = mara.quick("doctor")
    assert [line for line in found.out.splitlines() if not line.startswith("ok ")] == [
        "warning  no daemon is running",
        "         hint: rota up --background",
    ]
    assert mara.quick("check").code == 0
    assert mara.quick("status", "--json").json["timezone"] == "UTC", "as --tz said"
    for job in mara.ids():
        assert "problem:" not in mara.quick("test", job).out


def test_without_an_agent_the_weekly_plan_waits_in_the_inbox(mara: Rota) -> None:
    waiting = mara("run", "weekly-plan")
    assert "waiting" in waiting.err
    assert "rota inbox" in waiting.hint
    run = mara.runs("weekly-plan")[0]
    assert run["state"] == "waiting"
    listed = mara.quick("inbox")
    assert run["id"] in listed.out
    prompt = mara.quick("inbox", "show", run["id"]).out
    assert "weekly-planning" in prompt
    plan = mara.write("answer.md", "# The week\n\n- Write to Halden\n")
    answered = mara("inbox", "answer", run["id"], "--file", str(plan))
    assert "weekly-plan succeeded" in answered.err
    assert mara.read("now/weekly-plan-draft.md") == "# The week\n\n- Write to Halden\n"
    assert "Weekly plan draft ready" in mara.read("now/notifications.log")
    assert mara.quick("inbox", "--json").json == []
    assert "answered by cli already" in mara.quick("inbox", "answer", run["id"], "again", code=4).err
    assert "waits for no answer" in mara.quick("inbox", "show", run["id"], code=4).err


def test_the_weekly_plan_is_given_last_weeks_meetings(mara: Rota) -> None:
    now = datetime.now(UTC)
    yesterday, long_ago = now - timedelta(days=1), now - timedelta(days=30)
    mara.write(
        f"notes/meetings/{yesterday:%Y-%m-%d}-northlight.md", "# Northlight\n\nWe move the launch to March.\n"
    )
    mara.write(
        f"notes/meetings/{long_ago:%Y-%m-%d}-northlight.md", "# Northlight\n\nThe launch is in January.\n"
    )
    mara("run", "weekly-plan")
    context = mara.read(".rota/jobs/output/weekly-context.md")
    assert context.startswith("# Context: weekly planning\n")
    assert "We move the launch to March." in context
    assert "The launch is in January." not in context
    prompt = mara.quick("inbox", "show", mara.runs("weekly-plan")[0]["id"]).out
    assert "We move the launch to March." in prompt
    assert mara.quick("search", "launch march", "--json").json["hits"][0]["path"].endswith("northlight.md")


def test_an_answer_while_the_daemon_runs(mara: Rota) -> None:
    mara.up()
    mara("run", "weekly-plan", "--wait")
    run_id = mara.runs("weekly-plan")[0]["id"]
    mara("inbox", "answer", run_id, stdin="From stdin.\n")
    mara("logs", run_id, "-f")
    assert mara.read("now/weekly-plan-draft.md") == "From stdin.\n"


def test_with_an_agent_it_runs_through(mara: Rota) -> None:
    mara.write("scripts/agent.sh", "echo '# Plan'; grep -c . >&2; echo '- of the agent'\n")
    settings = mara.read(".rota/rota.yaml")
    mara.write(".rota/rota.yaml", settings + "\nagent:\n  command: sh scripts/agent.sh\n")
    assert "weekly-plan succeeded" in mara("run", "weekly-plan").err
    assert mara.read("now/weekly-plan-draft.md") == "# Plan\n- of the agent\n"


@pytest.mark.skipif(FAKETIME is None, reason="there is no faketime")
@pytest.mark.parametrize("day", [date(2026, 11, 23), date(2026, 12, 29), date(2027, 3, 29)], ids=str)
def test_the_morning_of_a_day(mara: Rota, day: date) -> None:
    mara.quick("edit", "morning-prep", "--set", "timezone=Europe/London")
    done = subprocess.run(
        [str(FAKETIME), "-f", f"@{day} 06:30:00", *mara.argv("run", "morning-prep")],
        env={**mara.environment(), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}, capture_output=True, text=True, check=False,
        timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = mara.read("now/today.md")
    agenda = [line for line in page.splitlines() if line in expected_agenda(day)]
    assert agenda == expected_agenda(day), page
    assert mara.lines("now/notifications.log")
