"""A story of the starter `personal-os`: on Sunday at eight an agent drafts the week, from what is so that evening."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.krisp_server import ACTIONS, TRANSCRIPT, webhook
from tests.support.rota import Rota, new_workspace
from tests.support.site import Site, site
from tests.support.stories import FAKETIME, at

pytestmark = pytest.mark.skipif(FAKETIME is None, reason="there is no faketime")
# The Sunday on which the week of 23 November is planned; the zone of the workspace is UTC.
THURSDAY, SATURDAY, JUST_BEFORE, EIGHT, NEXT_DAY = (
    "2026-11-19 11:00:00", "2026-11-21 12:00:00", "2026-11-22 19:58:00", "2026-11-22 20:00:05", "2026-11-23 08:00:05",
)  # fmt: skip
# An agent, as far as rota sees one: a program that reads a prompt on stdin and prints a plan made from it.
AGENT = """\
import pathlib, re, sys
prompt = sys.stdin.read()
pathlib.Path("now/prompt.txt").write_text(prompt)
events = re.findall(r"^- \\d\\d:\\d\\d.*Halden.*$|^- .*Design review.*$", prompt, re.MULTILINE)
said = re.findall(r"moved the launch to \\w+", prompt)
print("# Week of 23 November", "", *events, *(f"- They {one}" for one in said), sep="\\n")
"""
EVENT = "BEGIN:VEVENT\r\nUID:{0}\r\nSUMMARY:{0}\r\nDTSTART:{1}\r\nDTEND:{2}\r\nEND:VEVENT\r\n"


@pytest.fixture
def mara(tmp_path: Path) -> Iterator[Rota]:
    """The starter, with the program that stands for an agent."""
    with new_workspace(tmp_path / "mara", "--template", "personal-os") as rota:
        rota.write("scripts/agent.py", AGENT)
        settings = rota.read(".rota/rota.yaml")
        rota.write(".rota/rota.yaml", settings + "\nagent:\n  command: python3 scripts/agent.py\n")
        yield rota


@pytest.fixture
def server() -> Iterator[Site]:
    with site() as running:
        yield running


def publish(server: Site, *events: tuple[str, str, str]) -> str:
    """The calendar at its private address now has these events: title, begin, end. The address."""
    text = "".join(EVENT.format(*event) for event in events)
    return server.put(
        "/week.ics", f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{text}END:VCALENDAR\r\n", "text/calendar"
    )


def meetings(mara: Rota) -> None:
    """Of last week: a note of hers and a recording; and a note of a month before."""
    mara.write("notes/meetings/2026-11-18-northlight.md", "# Northlight\n\nThey moved the launch to March.\n")
    mara.write(
        "notes/meetings/2026-10-20-northlight.md", "# Northlight\n\nThey moved the launch to January.\n"
    )
    for event, content in (("transcript_created", TRANSCRIPT), ("action_items_generated", ACTIONS)):
        payload = webhook(event, content, start_date="2026-11-19T10:00:00Z", end_date="2026-11-19T10:30:00Z")
        at(mara, THURSDAY, "source", "pull", "krisp", f"payload={json.dumps(payload)}")


def test_the_plan_is_made_of_last_weeks_meetings_and_next_weeks_calendar(mara: Rota, server: Site) -> None:
    meetings(mara)
    address = publish(server, ("Design review", "20261124T100000Z", "20261124T110000Z"),
                      ("Lunch of last week", "20261118T120000Z", "20261118T130000Z"))  # fmt: skip
    settings = mara.read(".rota/rota.yaml")
    mara.write(".rota/rota.yaml", settings + f"\nsources: {{calendar: {{calendar: [{address}]}}}}\n")

    # On Saturday she tries it, and on Sunday a meeting is moved; at 19:58 nothing is due yet.
    at(mara, SATURDAY, "run", "weekly-plan", "--wait")
    assert "10:00–11:00 Design review" in mara.read("now/prompt.txt")
    publish(server, ("Design review", "20261125T140000Z", "20261125T150000Z"))
    at(mara, JUST_BEFORE, "tick")
    assert len(mara.runs("weekly-plan")) == 1

    # At eight it runs by itself.
    at(mara, EIGHT, "tick")
    latest, _tried = mara.runs("weekly-plan")
    assert (latest["state"], latest["due_at"][:16]) == ("succeeded", "2026-11-22T20:00")
    prompt = mara.read("now/prompt.txt")
    # The skill's instructions, and what they are about:
    assert "Put promises before tasks" in prompt
    assert "Send Halden the October invoice" in prompt
    # next week's calendar, as it is now and not as it was on Saturday,
    assert "14:00–15:00 Design review" in prompt
    assert "10:00–11:00 Design review" not in prompt
    assert "Lunch of last week" not in prompt
    # last week's meetings, as written down and as recorded, and none of a month ago.
    assert "moved the launch to March" in prompt
    assert "The export works again." in prompt
    assert "Write to Halden & Co" in prompt
    assert "moved the launch to January" not in prompt
    # The draft is what the agent made of it, and she is told.
    draft = mara.read("now/weekly-plan-draft.md")
    assert draft.startswith("# Week of 23 November\n")
    assert "14:00–15:00 Design review" in draft
    assert "- They moved the launch to March" in draft
    assert "Weekly plan draft ready – see now/weekly-plan-draft.md" in mara.lines("now/notifications.log")[-1]

    # The next morning it is not made again.
    at(mara, NEXT_DAY, "tick")
    assert len(mara.runs("weekly-plan")) == 2


def test_a_recording_alone_is_enough(mara: Rota) -> None:
    """No notes of last week, no calendar at an address: what is there is used, and nothing fails for the rest."""
    at(mara, EIGHT, "run", "weekly-plan", "--wait")
    prompt = mara.read("now/prompt.txt")
    assert "direction B" in prompt, "the starter's own note of 17 November"
    assert "Mon 23 Nov" in prompt or "23 November" in prompt
