"""Sources as a user has them: keys that are missing, notes that appear, news that is told once, edits that are safe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import krisp_server, notion_server
from tests.support.krisp_server import KEY_POINTS, TRANSCRIPT, KrispServer, webhook
from tests.support.notion_server import NotionServer, block
from tests.support.rota import Rota

EARLY, LATER = "2026-11-20T10:00:00.000Z", "2026-11-21T10:00:00.000Z"
ICS = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:one\r\nSUMMARY:Dentist\r\nDTSTART:20261123T090000Z\r\n"
    "DTEND:20261123T093000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
NOTION_JOB = """
schedule: manual
steps:
  - id: notes
    pull: notion
    if_new: true
  - id: tell
    if: new_items > 0
    notify: "{{ new_items }} new: {{ steps.notes['items'][0].title }}"
"""
HOOK = """
params: {payload: {default: "{}"}}
schedule: manual
steps:
  - id: recording
    pull: krisp
    payload: "{{ params.payload }}"
  - run: echo {{ steps.recording['items'][0].title }}
"""


@pytest.fixture
def notion() -> Iterator[NotionServer]:
    with notion_server.serving() as server:
        yield server


@pytest.fixture
def krisp() -> Iterator[KrispServer]:
    with krisp_server.serving() as server:
        yield server


def settings(rota: Rota, text: str) -> None:
    """Write rota.yaml, with a channel that writes each message into a file."""
    (rota.root / "tell.sh").write_text("printf '%s\\n' \"$(cat)\" >> messages.txt\n")
    rota.layout.config.write_text(
        f"timezone: Europe/London\nchannels: {{log: {{type: command, command: [sh, tell.sh]}}}}\nnotify: [log]\n{text}"
    )


def job(rota: Rota, name: str, text: str) -> None:
    (rota.root / ".rota" / "jobs" / f"{name}.yaml").write_text(text)


def messages(rota: Rota) -> str:
    path = rota.root / "messages.txt"
    return path.read_text() if path.exists() else ""


def test_a_person_sets_up_notion(rota: Rota, notion: NotionServer) -> None:
    settings(rota, f"sources: {{notion: {{base_url: {notion.url}}}}}\n")
    notion.page("Garden", block("paragraph", "Dig."), edited=EARLY)
    listed = rota("source", "list")
    assert "NOTION_TOKEN (missing)" in listed.out
    assert listed.hint == "`rota secret set NOTION_TOKEN` stores the key that is missing"
    failed = rota("source", "pull", "notion", code=1)
    assert failed.hint.startswith("set it with `rota secret set NOTION_TOKEN`")
    rota("secret", "set", "NOTION_TOKEN", stdin=notion_server.TOKEN)
    pulled = rota("source", "pull", "notion")
    assert pulled.out.startswith("- [Garden](resources/notion/garden-")
    assert "notion: 1 item, 1 new, 1 file written." in pulled.err
    (note,) = (rota.root / "resources/notion").glob("*.md")
    assert note.read_text().endswith("Dig.\n")
    (view,) = (view for view in rota("source", "list", "--json").json if view["name"] == "notion")
    assert (view["keys"], view["items"], view["error"]) == ({"NOTION_TOKEN": True}, 1, None)


def test_a_script_asks_whether_there_is_news(rota: Rota) -> None:
    (rota.root / "calendar").mkdir()
    (rota.root / "calendar/home.ics").write_text(ICS)
    asked = ("source", "pull", "calendar", "from=2026-11-23", "--if-new")
    assert "Dentist" in rota(*asked).out
    again = rota(*asked, code=5)
    assert (again.out, "nothing new" in again.err) == ("", True)
    (rota.root / "calendar/home.ics").write_text(ICS.replace("Dentist", "Dentist, Theo"))
    assert "Dentist, Theo" in rota(*asked).out
    assert rota("source", "pull", "calendar", "from=2026-11-23", "--json").json["unchanged"] is True
    assert rota("source", "pull", "calender", code=3).hint == "did you mean calendar?"
    assert "there is no such key" in rota("source", "pull", "calendar", "dayz=1", code=1).err
    rota("source", "pull", "calendar", "days", code=2)


def test_a_job_tells_of_what_changed_and_of_nothing_else(rota: Rota, notion: NotionServer) -> None:
    settings(rota, f"sources: {{notion: {{base_url: {notion.url}}}}}\n")
    rota.quick("secret", "set", "NOTION_TOKEN", stdin=notion_server.TOKEN)
    job(rota, "sync", NOTION_JOB)
    notion.page("Garden", block("paragraph", "Dig."), edited=EARLY)
    rota("run", "sync", "--wait")
    rota("run", "sync", "--wait")
    notion.page("Garden", block("paragraph", "Plant."), edited=LATER)
    rota("source", "pull", "notion")  # a person looks, and takes nothing from the job
    rota("run", "sync", "--wait")
    assert messages(rota).splitlines() == ["1 new: Garden"] * 2
    (note,) = (rota.root / "resources/notion").glob("*.md")
    assert note.read_text().endswith("Plant.\n")
    assert notion_server.TOKEN not in "".join(
        path.read_text(errors="replace") for path in (rota.root / ".rota/logs").rglob("*") if path.is_file()
    )


def test_an_edit_of_ones_own_is_kept_and_told_of_once(rota: Rota, notion: NotionServer) -> None:
    settings(rota, f"sources: {{notion: {{base_url: {notion.url}}}}}\n")
    rota.quick("secret", "set", "NOTION_TOKEN", stdin=notion_server.TOKEN)
    job(rota, "sync", "schedule: manual\nsteps:\n  - pull: notion\n")
    notion.page("Garden", block("paragraph", "Dig."), edited=EARLY)
    rota("run", "sync", "--wait")
    (note,) = (rota.root / "resources/notion").glob("*.md")
    note.write_text("my own words")
    notion.page("Garden", block("paragraph", "Plant."), edited=LATER)
    rota("run", "sync", "--wait")
    rota("run", "sync", "--wait")
    assert note.read_text() == "my own words"
    beside = note.with_name(f"{note.stem}.from-notion.md")
    assert beside.read_text().endswith("Plant.\n")
    assert messages(rota).count("was changed by hand") == 1
    assert str(beside.relative_to(rota.root)) in messages(rota)


def test_a_payload_becomes_a_note_and_is_never_more_than_data(rota: Rota) -> None:
    job(rota, "krisp", HOOK)
    title = "Stand-up $(touch pwned) {{ 7*7 }} ${HOME}"
    for event, content in (("transcript_created", TRANSCRIPT), ("key_points_generated", KEY_POINTS)):
        payload = json.dumps(webhook(event, content, title=title))
        said = rota("run", "krisp", "--wait", "--param", f"payload={payload}")
        assert title in said.out
    (note,) = (rota.root / "resources/krisp").glob("*.md")
    text = note.read_text()
    assert f"# {title}\n" in text
    assert "## Key points" in text
    assert "[00:03] **Jane Doe:** Good morning. Shall we?" in text
    assert not (rota.root / "pwned").exists()


def test_krisp_is_polled_with_a_key_of_its_own(rota: Rota, krisp: KrispServer) -> None:
    settings(rota, f"sources: {{meetings: {{type: krisp, base_url: '{krisp.url}', into: notes/meetings}}}}\n")
    krisp.add(krisp_server.meeting("a", "2026-11-23T10:00:00Z"))
    assert "no key" in rota("source", "pull", "meetings", "days=3650", code=1).err
    said = rota(
        "source", "pull", "meetings", "days=3650", "--json", env={"KRISP_API_KEY": krisp_server.KEY}
    ).json
    assert [Path(path).parent for path in said["files"]] == [Path("notes/meetings")]
    assert said["items"][0]["participants"] == ["Jane Doe", "Sam Lee"]
