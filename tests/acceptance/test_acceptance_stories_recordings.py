"""A story of the starter `personal-os`: a meeting ends, and a minute later what was said in it can be found.

Krisp tells of a recording in several deliveries, or is asked for it. Either way there is one note, and it is found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import krisp_server
from tests.support.hooks import Sender, finished, url_of
from tests.support.krisp_server import ACTIONS, KEY_POINTS, TRANSCRIPT, webhook
from tests.support.rota import Rota, eventually, new_workspace
from tests.support.stories import files_of

SUMMARY = "The team moved the launch to Friday."


@pytest.fixture
def mara(tmp_path: Path) -> Iterator[Rota]:
    """The starter, made by `rota init --template`."""
    with new_workspace(tmp_path / "mara", "--template", "personal-os") as rota:
        yield rota


def deliver(mara: Rota, sender: Sender, payload: dict[str, Any], secret: str) -> dict[str, Any]:
    """What Krisp sends, and the run that it became, ended."""
    reply = sender.post("krisp", json.dumps(payload), {"Authorization": secret})
    assert reply.status == 202, reply
    assert finished(mara, reply.run) == "succeeded"
    answer: dict[str, Any] = reply.json
    return answer


def found(mara: Rota, words: str) -> list[str]:
    """The recordings that `rota search` finds."""
    hits = mara.quick("search", words, "--json").json["hits"]
    return [hit["path"] for hit in hits if hit["path"].startswith("resources/krisp/")]


def notes(mara: Rota) -> list[Path]:
    return sorted((mara.root / "resources/krisp").glob("*.md"))


def test_a_recording_arrives_and_is_found(mara: Rota) -> None:
    mara.up()
    sender = Sender(url_of(mara))
    # `rota hook list krisp` shows the secret that rota made; in Krisp it is the header `Authorization`.
    (listed,) = mara.quick("hook", "list", "krisp", "--json").json
    secret = listed["secret"]
    assert (listed["verify"], listed["problem"]) == ("krisp", None)

    # Krisp sends the transcript first, then what it made of it.
    deliver(mara, sender, webhook("transcript_created", TRANSCRIPT), secret)
    eventually(lambda: found(mara, '"export works again"'), "what was said is found")
    deliver(mara, sender, webhook("key_points_generated", KEY_POINTS), secret)
    deliver(mara, sender, webhook("action_items_generated", ACTIONS), secret)
    deliver(mara, sender, webhook("notes_generated", SUMMARY), secret)

    # It is one note, with everything in it.
    (note,) = notes(mara)
    path = note.relative_to(mara.root).as_posix()
    text = note.read_text()
    assert "\n# Weekly stand-up\n" in text
    assert "- Jane Doe\n" in text.partition("\n---\n")[0], "participants"
    assert "[00:03] **Jane Doe:** Good morning. Shall we?" in text
    assert "- Launch is on Friday" in text
    assert "- [ ] Write to Halden & Co (Sam Lee)" in text
    assert SUMMARY in text
    for words in ("stand-up", "export works", "Halden Sam Lee", "launch Friday"):
        assert path in found(mara, words), words
    (told,) = eventually(lambda: mara.lines("now/notifications.log"), "she is told of it, once")
    assert f"Recorded: Weekly stand-up – see {path}" in told

    # The same delivery again changes nothing: no run, no file, no message.
    before, runs = files_of(mara.root), mara.runs("krisp")
    again = sender.post("krisp", json.dumps(webhook("notes_generated", SUMMARY)), {"Authorization": secret})
    assert (again.status, again.json["duplicate"]) == (202, True)
    assert (files_of(mara.root), mara.runs("krisp")) == (before, runs)

    # What somebody else makes up is refused, whatever it says, and leaves no run.
    forged = json.dumps(webhook("notes_generated", "Send the money.") | {"id": "delivery-forged"})
    for headers in ({"Authorization": secret[:-1] + "?"}, {"Authorization": "Bearer guess"}, {}):
        assert sender.post("krisp", forged, headers).status == 401
    assert (files_of(mara.root), mara.runs("krisp")) == (before, runs)
    assert "the token is wrong" in mara.quick("hook", "logs", "krisp").err
    assert secret not in mara.read(".rota/logs/daemon.log")


def test_the_sample_shows_the_story_without_krisp(mara: Rota) -> None:
    """What the README has a newcomer try."""
    mara.up()
    url_of(mara)
    run_id = mara.quick("hook", "test", "krisp", "--payload", str(mara.root / ".rota/samples/krisp.json")).out
    assert finished(mara, run_id.strip()) == "succeeded"
    (path,) = found(mara, "legal short variant")
    assert path.startswith("resources/krisp/halden-co-weekly-call-")


def test_the_same_recording_by_polling(mara: Rota) -> None:
    with krisp_server.serving() as krisp:
        krisp.add(krisp_server.meeting("a", "2026-11-23T10:00:00Z", title="Pricing call"))
        mara.write(
            ".rota/rota.yaml",
            mara.read(".rota/rota.yaml") + f"\nsources: {{krisp: {{base_url: {krisp.url}}}}}\n",
        )
        mara.quick("secret", "set", "KRISP_API_KEY", stdin=krisp_server.KEY)
        # As a person would: ask every second rather than every half an hour, and far enough back.
        job = mara.read(".rota/jobs/krisp-poll.yaml")
        mara.job("krisp-poll", job.replace("every: 30m", "every: 1s").replace("days: 7", "days: 3000"))
        mara.quick("edit", "krisp-poll", "--set", "enabled=true")
        mara.up()
        eventually(lambda: found(mara, "pricing"), "it is found")
        (note,) = notes(mara)
        assert "Weekly stand-up" not in note.read_text()
        eventually(lambda: mara.lines("now/notifications.log"), "she is told")
        # Krisp is asked again and again; while there is nothing new there is no run and no message.
        asked = len(krisp.requests)
        eventually(lambda: len(krisp.requests) > asked + 2, "it is asked again")
        assert [run["state"] for run in mara.runs("krisp-poll")] == ["succeeded"]
        assert len(mara.lines("now/notifications.log")) == 1

        # The next meeting is one more note.
        krisp.add(krisp_server.meeting("b", "2026-11-24T10:00:00Z", title="Hiring round"))
        eventually(lambda: found(mara, "hiring"), "the next one is found")
        eventually(lambda: len(mara.lines("now/notifications.log")) == 2, "and told of")
        assert len(notes(mara)) == 2
        assert "Recorded: Hiring round – see" in mara.lines("now/notifications.log")[1]
        assert krisp_server.KEY not in mara.read(".rota/logs/daemon.log")


def test_a_recording_that_came_both_ways_is_one_note(mara: Rota) -> None:
    with krisp_server.serving() as krisp:
        krisp.add(krisp_server.meeting("019a", "2026-11-23T10:00:00Z"))
        mara.up()
        sender = Sender(url_of(mara))
        (listed,) = mara.quick("hook", "list", "krisp", "--json").json
        deliver(mara, sender, webhook("transcript_created", TRANSCRIPT), listed["secret"])
        mara("source", "pull", "krisp", f"base_url={krisp.url}", "days=3000",
             env={"KRISP_API_KEY": krisp_server.KEY})  # fmt: skip
        (note,) = notes(mara)
        assert "**Jane Doe:** Good morning." in note.read_text()
        assert "- [x] Write to Halden & Co (Sam Lee, due 2026-11-27)" in note.read_text()
