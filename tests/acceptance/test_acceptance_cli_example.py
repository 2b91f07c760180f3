"""The starter `personal-os`: what it promises on its page, without an agent and with one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from tests.support.example_agenda import expected_agenda
from tests.support.notion_server import TOKEN, block, serving
from tests.support.rota import Rota, new_workspace

FAKETIME = shutil.which("faketime")


@pytest.fixture
def mara(tmp_path: Path) -> Iterator[Rota]:
    """The starter, made by `rota init --template`."""
    with new_workspace(tmp_path / "mara", "--template", "personal-os") as rota:
        yield rota


def test_the_starter_is_whole(mara: Rota) -> None:
    assert set(mara.ids()) == {"daily-reflection", "krisp", "morning-prep", "notion-sync", "weekly-plan"}
    assert mara.quick("check").code == 0
    assert mara.quick("status", "--json").json["timezone"] == "UTC", "as --tz said"
    for job in mara.ids():
        assert mara.quick("test", job).code == 0


def test_what_krisp_sends_becomes_a_note_that_is_told_of(mara: Rota) -> None:
    mara("run", "krisp", "--wait")
    (note,) = (mara.root / "resources/krisp").glob("*.md")
    assert f"Recorded: Recording – see {note.relative_to(mara.root)}" in mara.read("now/notifications.log")
    mara("run", "krisp", "--wait")  # the same again is not told again
    assert mara.read("now/notifications.log").count("Recorded:") == 1


def test_notion_is_kept_as_notes_once_it_is_set_up(mara: Rota) -> None:
    with serving() as notion:
        notion.page("Attic", block("paragraph", "Measure it."), edited="2026-11-20T10:00:00.000Z")
        mara.write(
            ".rota/rota.yaml",
            mara.read(".rota/rota.yaml") + f"\nsources: {{notion: {{base_url: {notion.url}}}}}\n",
        )
        mara.quick("secret", "set", "NOTION_TOKEN", stdin=TOKEN)
        mara.quick("edit", "notion-sync", "--set", "enabled=true")
        mara("run", "notion-sync", "--wait")
        mara("run", "notion-sync", "--wait")
    assert "[Attic](resources/notion/attic-" in mara.read("now/notion.md")
    assert mara.read("now/notifications.log").count("Notion: 1 changed – see now/notion.md") == 1


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
    assert "waits for no answer" in mara.quick("inbox", "answer", run["id"], "again", code=4).err
    assert "waits for no answer" in mara.quick("inbox", "show", run["id"], code=4).err


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
