"""The krisp source: one note a recording, whether it came by webhook or was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.krisp_server import (
    ACTIONS,
    KEY,
    KEY_POINTS,
    TRANSCRIPT,
    KrispServer,
    meeting,
    serving,
    webhook,
)

from rota.model.errors import StepError
from rota.sources.krisp import KrispParams, pull
from rota.sources.krisp_recording import recording_of

NOW = "2026-11-23T12:00:00+00:00"


@pytest.fixture
def krisp() -> Iterator[KrispServer]:
    with serving() as server:
        yield server


class Pulls:
    """One pull after the other, each with the cursor of the one before."""

    def __init__(self, krisp: KrispServer, workspace: Path) -> None:
        self.krisp = krisp
        self.workspace = workspace
        self.cursor: Any = None
        self.now = NOW

    def __call__(self, **config: Any) -> dict[str, Any]:
        given = {"token": KEY, "base_url": self.krisp.url, **config}
        KrispParams.model_validate(given)
        self.krisp.requests.clear()
        got = pull(given, str(self.workspace), self.now, "Europe/London", cursor=self.cursor, source="krisp")
        self.cursor = got["cursor"]
        return got

    def later(self, **delta: int) -> None:
        self.now = (datetime.fromisoformat(self.now) + timedelta(**delta)).isoformat()


@pytest.fixture
def pulls(krisp: KrispServer, tmp_path: Path) -> Pulls:
    return Pulls(krisp, tmp_path)


def deliver(workspace: Path, payload: Any) -> dict[str, Any]:
    """What a hook's step does."""
    return pull({"payload": payload}, str(workspace), NOW, "Europe/London", cursor=None, source="krisp")


def only(workspace: Path) -> str:
    (path,) = (workspace / "resources/krisp").glob("*.md")
    return path.read_text()


# --- webhooks ------------------------------------------------------------------------------------


def test_a_transcript_becomes_a_note_with_speakers_and_times(tmp_path: Path) -> None:
    got = deliver(tmp_path, webhook("transcript_created", TRANSCRIPT))
    assert only(tmp_path) == (
        "---\n"
        "title: Weekly stand-up\n"
        "source: krisp\n"
        "source_id: 019a\n"
        "url: https://app.krisp.ai/t/019a\n"
        "date: '2026-11-23T10:00:00+00:00'\n"
        "ended: '2026-11-23T10:30:00+00:00'\n"
        "minutes: 30\n"
        "participants:\n- jane@example.org\n- Jane Doe\n- Sam Lee\n"
        "updated: '2026-11-23T10:30:00+00:00'\n"
        "---\n\n"
        "# Weekly stand-up\n\n"
        "2026-11-23 10:00–10:30 · 30 min · jane@example.org, Jane Doe, Sam Lee\n\n"
        "## Transcript\n\n"
        "[00:03] **Jane Doe:** Good morning. Shall we?\n\n"
        "[01:10] **Sam Lee:** The export works again.\n"
    )
    (item,) = got["items"]
    assert (item["id"], item["title"], item["path"]) == ("019a", "Weekly stand-up", got["files"][0])
    assert got["text"] == only(tmp_path)


def test_the_parts_of_a_recording_come_together_in_one_note(tmp_path: Path) -> None:
    first = deliver(tmp_path, webhook("action_items_generated", ACTIONS))
    deliver(tmp_path, webhook("key_points_generated", KEY_POINTS))
    deliver(tmp_path, webhook("note_generated", None, raw="### Decisions\n- Launch on Friday"))
    got = deliver(tmp_path, webhook("transcript_created", TRANSCRIPT))
    text = only(tmp_path)
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["## Key points", "## Action items", "## Notes", "## Transcript"]
    assert "- The export works again\n- Launch is on Friday\n" in text
    assert "- [ ] Write to Halden & Co (Sam Lee)\n" in text
    assert "### Decisions\n- Launch on Friday\n" in text
    assert got["items"][0]["action_items"] == ["Write to Halden & Co"]
    assert [first["items"][0]["change"], got["items"][0]["change"]] == ["new", "changed"]


def test_a_delivery_that_comes_twice_changes_nothing(tmp_path: Path) -> None:
    first = deliver(tmp_path, webhook("transcript_created", TRANSCRIPT))
    again = deliver(tmp_path, webhook("transcript_created", TRANSCRIPT))
    assert (again["files"], again["items"][0]["version"]) == ([], first["items"][0]["version"])


def test_a_persons_notes_stay_when_another_part_comes(tmp_path: Path) -> None:
    deliver(tmp_path, webhook("transcript_created", TRANSCRIPT))
    (path,) = (tmp_path / "resources/krisp").glob("*.md")
    path.write_text("my own words")
    got = deliver(tmp_path, webhook("key_points_generated", KEY_POINTS))
    assert path.read_text() == "my own words"
    beside = (tmp_path / got["conflicts"][0]["beside"]).read_text()
    assert "## Key points" in beside
    assert "## Transcript" in beside


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"event": "transcript_created"},
        {"data": {}},
        {"data": {"meeting": None, "content": None}},
        {"title": None, "transcript": [None, 1, {}, {"text": None}], "participants": [None, {}, 3]},
        {"title": "x" * 5000, "start_date": "yesterday", "duration": "long"},
        {"transcript": {"segments": "no list"}, "notes": {"blocks": "no list"}, "action_items": "none"},
        {"notes": {"blocks": [1, {"type": None, "children": [{"type": "bullet"}]}]}},
        {"start_date": 1e300, "end_date": True, "duration": -1},
        {"title": "a\0b\ud800", "transcript": "x\0y"},
    ],
)
def test_whatever_is_missing_or_odd_there_is_a_note(tmp_path: Path, payload: dict[str, Any]) -> None:
    got = deliver(tmp_path, payload)
    assert len(got["files"]) == 1
    assert only(tmp_path).startswith("---\ntitle: ")


def test_values_are_data_wherever_they_stand(tmp_path: Path) -> None:
    title = "../../etc/passwd {{ 7*7 }} ${SECRET}\n---\nevil: true"
    deliver(tmp_path, webhook("transcript_created", "{{ 7*7 }}", title=title, participants=["a: b", "- c"]))
    text = only(tmp_path)
    assert "{{ 7*7 }}" in text
    assert "\nevil: true\n" not in text.split("\n---\n")[0]
    assert not (tmp_path.parent / "etc").exists()


def test_a_payload_that_came_as_text_is_read(tmp_path: Path) -> None:
    deliver(tmp_path, json.dumps(webhook("transcript_created", TRANSCRIPT)))
    assert "## Transcript" in only(tmp_path)
    for odd in ("no json", "[1]", "7"):
        with pytest.raises(ValidationError):
            KrispParams.model_validate({"payload": odd})


def test_flat_payloads_and_other_names_are_read() -> None:
    flat = {
        "recordingId": 7, "name": "Call", "startTime": 1795428000000, "duration_minutes": 15,
        "attendees": [{"name": "Ann"}, {"email": "b@example.org"}], "tags": ["sales"],
        "transcript": "All that was said.", "summary": "Short.", "highlights": "- one\n- two",
        "actionItems": ["Call back", {"task": "Send it", "done": True, "owner": "Ann", "dueDate": "Friday"}],
        "notes": "Written by hand", "recording_url": "https://example.org/r",
    }  # fmt: skip
    assert recording_of(flat) == {
        "id": "7", "title": "Call", "started": "2026-11-23T10:00:00+00:00", "seconds": 900,
        "participants": ["Ann", "b@example.org"], "tags": ["sales"], "url": "https://example.org/r",
        "transcript": [{"speaker": "", "at": None, "text": "All that was said."}], "summary": "Short.",
        "key_points": ["one", "two"], "notes": "Written by hand",
        "action_items": [
            {"text": "Call back", "done": False, "who": "", "due": ""},
            {"text": "Send it", "done": True, "who": "Ann", "due": "Friday"},
        ],
    }  # fmt: skip


def test_an_outline_and_a_rendered_text_are_kept() -> None:
    found = recording_of(webhook("outline_generated", [{"title": "One"}], raw="1. One\n2. Two"))
    assert found["outline"] == "1. One\n2. Two"
    assert recording_of(webhook("something_new", None, raw="Its text"))["notes"] == "Its text"
    assert recording_of(webhook("key_points_generated", None, raw="- a\n- b"))["key_points"] == ["a", "b"]


# --- the API -------------------------------------------------------------------------------------


def test_a_poll_writes_the_same_note_as_webhooks(krisp: KrispServer, pulls: Pulls) -> None:
    krisp.add(meeting("019a", "2026-11-23T10:00:00Z"))
    got = pulls()
    text = only(pulls.workspace)
    assert text.endswith(
        "# Weekly stand-up\n\n"
        "2026-11-23 10:00 · 30 min · Jane Doe, Sam Lee\n\n"
        "## Action items\n\n- [x] Write to Halden & Co (Sam Lee, due 2026-11-27)\n\n"
        "## Notes\n\n### Key points\n\n- Launch is on Friday\n\n### Detailed summaries\n\n#### Export\n\n- It works again\n\n"
        "## Transcript\n\n[00:03] **Jane Doe:** Good morning.\n\n[01:10] **Sam Lee:** The export works again.\n"
    )
    path = got["files"][0]
    deliver(pulls.workspace, webhook("key_points_generated", KEY_POINTS))
    assert [p.name for p in (pulls.workspace / "resources/krisp").glob("*.md")] == [Path(path).name]


def test_what_was_read_whole_is_not_read_again(krisp: KrispServer, pulls: Pulls) -> None:
    krisp.add(meeting("a", "2026-11-22T10:00:00Z"), meeting("b", "2026-11-23T10:00:00Z"))
    assert [item["id"] for item in pulls()["items"]] == ["a", "b"]
    got = pulls()
    assert (got["unchanged"], got["items"], got["text"]) == (True, [], "No new recordings.\n")
    assert krisp.read() == []
    krisp.add(meeting("c", "2026-11-23T11:00:00Z"))
    assert [item["id"] for item in pulls()["items"]] == ["c"]
    assert krisp.read() == ["c"]


def test_a_recording_without_notes_is_read_again_until_they_come(krisp: KrispServer, pulls: Pulls) -> None:
    krisp.add(meeting("a", "2026-11-23T10:00:00Z", notes=None))
    first = pulls()
    assert pulls()["items"] == []
    assert krisp.read() == ["a"]
    krisp.add(meeting("a", "2026-11-23T10:00:00Z"))
    grown = pulls()
    assert [item["id"] for item in grown["items"]] == ["a"]
    assert grown["items"][0]["version"] != first["items"][0]["version"]
    pulls()
    assert krisp.read() == []


def test_one_that_krisp_works_on_comes_later_and_does_not_hold_up_others(
    krisp: KrispServer, pulls: Pulls
) -> None:
    krisp.add(meeting("slow", "2026-11-20T10:00:00Z"), meeting("b", "2026-11-23T10:00:00Z"))
    krisp.add(meeting("busy", "2026-11-23T11:00:00Z"))
    krisp.busy = {"busy"}
    assert [item["id"] for item in pulls()["items"]] == ["slow", "b"]
    krisp.busy = set()
    assert [item["id"] for item in pulls()["items"]] == ["busy"]


def test_a_day_later_it_is_taken_as_it_is(krisp: KrispServer, pulls: Pulls) -> None:
    krisp.add(meeting("a", "2026-11-23T10:00:00Z", notes=None))
    pulls()
    pulls.later(hours=25)
    pulls()
    pulls()
    assert krisp.read() == []


def test_the_first_pull_goes_some_days_back_page_by_page(krisp: KrispServer, pulls: Pulls) -> None:
    krisp.page_cap = 2
    krisp.add(*(meeting(f"m{n}", f"2026-11-{n:02d}T10:00:00Z") for n in range(1, 23)))
    assert [item["id"] for item in pulls(days=5)["items"]] == [f"m{n}" for n in range(19, 23)]


def test_many_recordings_are_read_over_several_pulls(krisp: KrispServer, pulls: Pulls) -> None:
    krisp.add(*(meeting(f"m{n}", f"2026-11-{n:02d}T10:00:00Z") for n in range(1, 8)))
    seen: list[str] = []
    for more in (True, True, False):
        got = pulls(limit=3)
        seen += [item["id"] for item in got["items"]]
        assert ("more recordings" in got["note"]) is more
    assert seen == [f"m{n}" for n in range(1, 8)]


def test_limits_are_kept_and_failures_are_said(
    krisp: KrispServer, pulls: Pulls, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("rota.sources.krisp_api.time.sleep", waited.append)
    krisp.add(meeting("a", "2026-11-23T10:00:00Z"))
    krisp.limits, krisp.failures = ["2"], [502]
    assert len(pulls()["items"]) == 1
    assert waited == [2.0, 0.5]
    krisp.limits = ["600"]
    with pytest.raises(StepError) as caught:
        pulls()
    assert (caught.value.retry_after, caught.value.permanent) == (600.0, False)
    krisp.failures = [500] * 3
    with pytest.raises(StepError, match="answered 500"):
        pulls()
    with pytest.raises(StepError, match="does not take the key") as refused:
        pulls(token="krsp_u_wrong")
    assert refused.value.permanent
    assert "krsp_u_wrong" not in f"{refused.value} {refused.value.hint}"
    with pytest.raises(StepError, match="could not be reached"):
        pulls(base_url="http://127.0.0.1:9")


def test_without_key_and_payload_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no key") as caught:
        pull({}, str(tmp_path), NOW, "UTC", cursor=None, source="krisp")
    assert "rota secret set KRISP_API_KEY" in (caught.value.hint or "")
