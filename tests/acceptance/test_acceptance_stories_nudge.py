"""A story of the starter `personal-os`: at eight she is told what is due, and on a day with nothing due she is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.rota import Rota, new_workspace
from tests.support.site import site
from tests.support.stories import FAKETIME, at

faked = pytest.mark.skipif(FAKETIME is None, reason="there is no faketime")
TASKS = "# Home\n\n- [ ] Sign the form ⏫ 📅 2026-11-23\n- [ ] Pay the invoice 📅 2026-11-20\n- [ ] Tyres 📅 2026-12-11\n"


@pytest.fixture
def mara(tmp_path: Path) -> Iterator[Rota]:
    """The starter."""
    with new_workspace(tmp_path / "mara", "--template", "personal-os") as rota:
        yield rota


@faked
def test_told_at_eight_of_what_is_due_and_of_nothing_on_a_free_day(mara: Rota) -> None:
    mara.write("tasks.md", TASKS)
    with site() as phone:
        # Her phone has a webhook: one more line in the job's `notify:`.
        job = mara.read(".rota/jobs/daily-nudge.yaml").replace(
            "type: log", f"type: webhook\n    url: {phone.put('/push', 'ok')}"
        )
        mara.job("daily-nudge", job)
        at(mara, "2026-11-23 07:58:00", "tick")
        assert [one for one in phone.asked if "daily-nudge" in one.body.decode()] == []

        at(mara, "2026-11-23 08:00:05", "tick")
        (told,) = phone.asked
        assert "1 due, 1 overdue: Sign the form; Pay the invoice" in json.dumps(
            json.loads(told.body), ensure_ascii=False
        )

        # She does both. The next day the job runs, and keeps quiet.
        mara.write("tasks.md", TASKS.replace("[ ] Sign", "[x] Sign").replace("[ ] Pay", "[x] Pay"))
        at(mara, "2026-11-24 08:00:05", "tick")
        assert [run["state"] for run in mara.runs("daily-nudge")] == ["succeeded"] * 2
        assert len(phone.asked) == 1
        assert "Tyres" not in phone.asked[0].body.decode(), "what is due in weeks is no nudge"


@faked
def test_what_needs_no_agent_calls_none(mara: Rota) -> None:
    """With an agent set up, the jobs that are not prompts pay for nothing."""
    settings = mara.read(".rota/rota.yaml")
    mara.write("scripts/agent.sh", "echo asked >> now/asked.txt; echo Yes.\n")
    mara.write(".rota/rota.yaml", settings + "\nagent:\n  command: sh scripts/agent.sh\n")
    mara.write("tasks.md", TASKS)
    for job in ("daily-nudge", "morning-prep", "promises"):
        at(mara, "2026-11-23 08:30:00", "run", job, "--wait")
    assert mara.read("now/asked.txt") == ""
    assert "1 due, 1 overdue: Sign the form; Pay the invoice" in mara.read("now/notifications.log")
    at(mara, "2026-11-23 21:00:00", "run", "daily-reflection", "--wait")
    assert mara.lines("now/asked.txt") == ["asked"], "and the one that is, is asked once"


def test_the_page_of_promises_follows_the_notes(mara: Rota) -> None:
    mara("tick")
    assert mara.read("now/promises.md") == "", "what was there before starts nothing"
    mara.write("notes/people/tom.md", "- promised Tom: the icon set (due 2026-12-01)\n")
    mara("tick")
    assert "- To **Tom**: the icon set, due 2026-12-01" in mara.lines("now/promises.md")
    assert "- From Dana: the signed statement of work, since 2026-11-16" in mara.lines("now/promises.md")
    mara("tick")
    assert len(mara.runs("promises")) == 1
