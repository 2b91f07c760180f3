"""The notion source against Notion's wire format: what becomes a note, what is read again, what is said when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.notion_server import TOKEN, NotionServer, block, serving, uid

from rota.model.errors import StepError
from rota.sources import notion as module
from rota.sources.notion import NotionParams, pull

EARLY = "2026-11-20T10:00:00.000Z"
LATER = "2026-11-21T10:00:00.000Z"
NOW = "2026-11-23T06:30:00+00:00"


@pytest.fixture
def notion() -> Iterator[NotionServer]:
    with serving() as server:
        server.date = datetime.fromisoformat(NOW).timestamp()
        yield server


@pytest.fixture
def pulls(notion: NotionServer, tmp_path: Path) -> Pulls:
    return Pulls(notion, tmp_path)


class Pulls:
    """One pull after the other, each with the cursor of the one before."""

    def __init__(self, notion: NotionServer, workspace: Path) -> None:
        self.notion = notion
        self.workspace = workspace
        self.cursor: Any = None
        self.now = NOW

    def __call__(self, **config: Any) -> dict[str, Any]:
        given = {"token": TOKEN, "base_url": self.notion.url, **config}
        NotionParams.model_validate(given)
        self.notion.requests.clear()
        got = pull(given, str(self.workspace), self.now, "UTC", cursor=self.cursor, source="notion")
        self.cursor = got["cursor"]
        return got

    def titles(self, **config: Any) -> list[str]:
        return [item["title"] for item in self(**config)["items"]]

    def note(self, title: str) -> str:
        """The text of the note with that title."""
        (found,) = [
            path for path in (self.workspace / "resources/notion").rglob("*.md")
            if path.read_text().startswith(f"---\ntitle: {title}\n")
        ]  # fmt: skip
        return found.read_text()

    def later(self, **delta: int) -> None:
        """Time passes, here and there."""
        from datetime import timedelta

        moment = datetime.fromisoformat(self.now) + timedelta(**delta)
        self.now, self.notion.date = moment.isoformat(), moment.timestamp()


def test_a_databases_pages_become_notes_with_front_matter(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Projects")
    properties = {
        "Status": {"id": "a", "type": "status", "status": {"name": "Doing"}},
        "Tags": {"id": "b", "type": "multi_select", "multi_select": [{"name": "q4"}, {"name": "home"}]},
    }
    page_id = notion.page(
        "Garden", block("paragraph", "Dig."), edited=EARLY, source="Projects", properties=properties
    )
    got = pulls(databases=[uid("db:Projects")])
    (item,) = got["items"]
    path = Path(item["path"])
    assert str(path.parent) == "resources/notion/projects"
    assert path.name.startswith("garden-")
    assert (pulls.workspace / path).read_text() == (
        "---\n"
        "title: Garden\n"
        "source: notion\n"
        f"source_id: {page_id}\n"
        f"url: https://www.notion.so/{page_id.replace('-', '')}\n"
        "database: Projects\n"
        "created: '2026-11-01T09:00:00.000Z'\n"
        f"updated: '{EARLY}'\n"
        "tags:\n- q4\n- home\n"
        "properties:\n  Status: Doing\n  Tags:\n  - q4\n  - home\n"
        "---\n\nDig.\n"
    )
    assert (item["id"], item["title"], item["database"], item["updated"]) == (
        page_id,
        "Garden",
        "Projects",
        EARLY,
    )
    assert got["files"] == [item["path"]]
    assert got["text"] == f"- [Garden]({item['path']}), edited {EARLY}\n"


def test_an_edit_in_notion_updates_one_file_and_reads_one_page(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Projects")
    for n in range(5):
        notion.page(f"Page {n}", block("paragraph", "Old."), edited=EARLY, source="Projects")
    assert len(pulls(databases=uid("db:Projects"))["files"]) == 5
    stamps = {path: path.stat().st_ino for path in (pulls.workspace / "resources").rglob("*.md")}
    notion.page("Page 3", block("paragraph", "New."), edited=LATER, source="Projects")
    got = pulls(databases=uid("db:Projects"))
    assert [Path(path).name.rpartition("-")[0] for path in got["files"]] == ["page-3"]
    changed = [
        path
        for path in (pulls.workspace / "resources").rglob("*.md")
        if stamps.get(path) != path.stat().st_ino
    ]
    assert [path.name.rpartition("-")[0] for path in changed] == ["page-3"]
    assert notion.asked("/v1/blocks/.*") == 1


def test_nothing_edited_is_unchanged_and_reads_no_page(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Projects")
    notion.page("One", edited=EARLY, source="Projects")
    assert pulls(databases=uid("db:Projects"))["unchanged"] is False
    got = pulls(databases=uid("db:Projects"))
    assert (got["unchanged"], got["items"], got["text"]) == (True, [], "Nothing was edited in Notion.\n")
    assert notion.asked("/v1/blocks/.*") == 0


def test_every_list_is_read_to_its_last_page(notion: NotionServer, pulls: Pulls) -> None:
    notion.page_cap = 2
    notion.database("Projects")
    for n in range(5):
        items = [block("bulleted_list_item", f"Item {m}") for m in range(5)]
        notion.page(f"Page {n}", *items, edited=EARLY, source="Projects")
    assert len(pulls(databases=uid("db:Projects"))["items"]) == 5
    assert pulls.note("Page 4").endswith("".join(f"- Item {m}\n" for m in range(5)))


def test_a_database_of_several_data_sources_and_one_by_its_own_id(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Work", sources=("Tasks", "Meetings"))
    notion.page("A task", edited=EARLY, source="Tasks")
    notion.page("A meeting", edited=EARLY, source="Meetings")
    assert sorted(pulls.titles(databases=uid("db:Work"))) == ["A meeting", "A task"]
    pulls.cursor = None
    assert pulls.titles(databases=f"https://www.notion.so/me/{uid('ds:Tasks').replace('-', '')}?v=1") == [
        "A task"
    ]


def test_without_databases_everything_that_is_shared_is_read(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Projects")
    notion.page("In a database", edited=EARLY, source="Projects")
    notion.page("On its own", edited=LATER)
    assert pulls.titles() == ["In a database", "On its own"]
    notion.page("In a database", edited="2026-11-22T10:00:00.000Z", source="Projects")
    assert pulls.titles() == ["In a database"]


def test_pages_by_their_address(notion: NotionServer, pulls: Pulls) -> None:
    page_id = notion.page("Plan", block("paragraph", "One."), edited=EARLY)
    notion.page("Other", edited=EARLY)
    address = f"https://www.notion.so/me/Plan-{page_id.replace('-', '')}?pvs=4"
    assert pulls.titles(pages=address) == ["Plan"]
    assert pulls.titles(pages=address) == []
    notion.page("Plan", block("paragraph", "Two."), edited=LATER)
    assert pulls.titles(pages=address) == ["Plan"]


def test_a_second_edit_in_the_minute_of_the_first_is_not_missed(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Projects")
    minute = "2026-11-23T06:30:00.000Z"
    notion.page("One", block("paragraph", "First."), edited=minute, source="Projects")
    pulls(databases=uid("db:Projects"))
    notion.page("One", block("paragraph", "Second."), edited=minute, source="Projects")
    assert pulls.titles(databases=uid("db:Projects")) == ["One"]
    assert pulls.note("One").endswith("Second.\n")
    for _ in range(2):  # it is read again, and there is nothing new in it
        assert pulls(databases=uid("db:Projects"))["unchanged"] is True
        assert notion.asked("/v1/blocks/.*") == 1
        pulls.later(minutes=3)
    assert pulls(databases=uid("db:Projects"))["unchanged"] is True
    assert notion.asked("/v1/blocks/.*") == 0


def test_notions_clock_counts_not_this_machines(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Projects")
    notion.page("One", block("paragraph", "First."), edited="2026-11-23T06:30:00.000Z", source="Projects")
    pulls.now = "2026-11-23T09:00:00+00:00"
    pulls(databases=uid("db:Projects"))
    notion.page("One", block("paragraph", "Second."), edited="2026-11-23T06:30:00.000Z", source="Projects")
    pulls(databases=uid("db:Projects"))
    assert pulls.note("One").endswith("Second.\n")


def test_many_edits_are_read_over_several_pulls(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Projects")
    for n in range(7):
        notion.page(f"Page {n}", edited=EARLY if n < 5 else LATER, source="Projects")
    seen: list[str] = []
    for left in (4, 1, 0):
        got = pulls(databases=uid("db:Projects"), limit=3)
        seen += [item["title"] for item in got["items"]]
        assert (f"at least {left} more" in got["note"]) == bool(left)
    assert sorted(seen) == [f"Page {n}" for n in range(7)]
    assert pulls(databases=uid("db:Projects"), limit=3)["unchanged"] is True


def test_a_new_title_moves_the_file(notion: NotionServer, pulls: Pulls) -> None:
    notion.page("Plan", edited=EARLY, name="p")
    pulls()
    notion.page("Better plan", edited=LATER, name="p")
    pulls()
    assert [path.name.rpartition("-")[0] for path in (pulls.workspace / "resources").rglob("*.md")] == [
        "better-plan"
    ]


def test_archived_pages_are_marked_and_deleted_ones_too(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Projects")
    gone = notion.page("Gone", edited=EARLY, source="Projects")
    trash = notion.page("Trash", edited=EARLY, source="Projects")
    notion.page("Archived", edited=EARLY, source="Projects", archived=True)
    pulls(databases=uid("db:Projects"))
    assert "\narchived: true\n" in pulls.note("Archived")
    notion.pages[trash]["in_trash"] = True
    del notion.pages[gone]
    pulls(databases=uid("db:Projects"))
    assert "archived: true" not in pulls.note("Trash")  # that is looked for once a day
    pulls.later(hours=25)
    assert len(pulls(databases=uid("db:Projects"))["files"]) == 2
    assert "\narchived: true\n---\n" in pulls.note("Trash")
    assert "\ndeleted: true\n---\n" in pulls.note("Gone")


def test_a_persons_edit_stays_and_is_reported(notion: NotionServer, pulls: Pulls) -> None:
    notion.page("Plan", block("paragraph", "One."), edited=EARLY)
    path = pulls.workspace / pulls()["items"][0]["path"]
    path.write_text("my own words")
    notion.page("Plan", block("paragraph", "Two."), edited=LATER)
    (conflict,) = pulls()["conflicts"]
    assert path.read_text() == "my own words"
    assert (pulls.workspace / conflict["beside"]).read_text().endswith("Two.\n")
    assert conflict["beside"].endswith(".from-notion.md")


# --- limits and failures -------------------------------------------------------------------------


def test_a_429_is_waited_for_as_long_as_notion_asks(
    notion: NotionServer, pulls: Pulls, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("rota.sources.notion_api.time.sleep", waited.append)
    notion.page("Plan", edited=EARLY)
    notion.limits = ["3", "0"]
    assert pulls.titles() == ["Plan"]
    assert waited == [3.0, 0.05]


def test_a_wait_that_is_too_long_is_left_to_the_steps_retry(notion: NotionServer, pulls: Pulls) -> None:
    notion.page("Plan", edited=EARLY)
    notion.limits = ["600"]
    with pytest.raises(StepError) as caught:
        pulls()
    assert (caught.value.retry_after, caught.value.permanent) == (600.0, False)


def test_a_limit_in_the_midst_keeps_what_was_read(notion: NotionServer, pulls: Pulls) -> None:
    for n in range(3):
        notion.page(f"Page {n}", edited=f"2026-11-2{n}T10:00:00.000Z")
    answer = notion.answer

    def limited(
        method: str, path: str, query: dict[str, Any], body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        if notion.asked("/v1/blocks/.*") == 2:
            notion.limits = ["600"]
        return answer(method, path, query, body)

    notion.answer = limited  # type: ignore[method-assign] # the server is limited from the second page on
    got = pulls()
    assert "limits the rate" in got["note"]
    assert len(got["items"]) == 2
    notion.answer = answer  # type: ignore[method-assign] # and no more
    notion.limits = []
    assert pulls.titles() == ["Page 2"]


def test_a_passing_failure_is_tried_again(
    notion: NotionServer, pulls: Pulls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rota.sources.notion_api.time.sleep", lambda _seconds: None)
    notion.page("Plan", edited=EARLY)
    notion.failures = [500, 503]
    assert pulls.titles() == ["Plan"]
    notion.failures = [500] * 3
    with pytest.raises(StepError, match="500") as caught:
        pulls()
    assert not caught.value.permanent


def test_a_wrong_token_is_said_without_it(notion: NotionServer, pulls: Pulls) -> None:
    with pytest.raises(StepError, match="does not take the token") as caught:
        pulls(token="ntn_wrong")
    assert caught.value.permanent
    assert "ntn_wrong" not in f"{caught.value} {caught.value.hint}"


def test_a_database_that_is_not_shared_does_not_stop_the_others(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Projects")
    notion.page("Plan", edited=EARLY, source="Projects")
    got = pulls(databases=[uid("db:Other"), uid("db:Projects")])
    assert [item["title"] for item in got["items"]] == ["Plan"]
    assert "not read: Notion answered 404" in got["note"]
    with pytest.raises(StepError, match="404") as caught:
        pulls(databases=uid("db:Other"))
    assert (caught.value.permanent, "share the page" in (caught.value.hint or "")) == (True, True)


def test_an_address_without_an_id_is_said(notion: NotionServer, pulls: Pulls) -> None:
    with pytest.raises(StepError, match="no page and no database"):
        pulls(databases="https://www.notion.so/me")


def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.sources.notion_api.time.sleep", lambda _seconds: None)
    config = {"token": TOKEN, "base_url": "http://127.0.0.1:9"}
    with pytest.raises(StepError, match="could not be reached") as caught:
        pull(config, str(tmp_path), NOW, "UTC", cursor=None, source="notion")
    assert not caught.value.permanent


def test_a_list_of_more_than_25_is_read_whole(notion: NotionServer, pulls: Pulls) -> None:
    relation = {"id": "rel", "type": "relation", "relation": [{"id": "1"}], "has_more": True}
    page_id = notion.page("Plan", edited=EARLY, properties={"Tasks": relation})
    notion.page_cap = 20
    notion.long_properties[page_id, "rel"] = [
        {"object": "property_item", "type": "relation", "relation": {"id": f"t{n}"}} for n in range(30)
    ]
    pulls()
    assert pulls.note("Plan").count("\n  - t") == 30


def test_the_cursor_is_plain_and_small(notion: NotionServer, pulls: Pulls) -> None:
    notion.database("Projects")
    for n in range(20):
        notion.page(f"Page {n}", edited=f"2026-11-{n + 1:02d}T10:00:00.000Z", source="Projects")
    cursor = pulls(databases=uid("db:Projects"))["cursor"]
    (place,) = cursor["places"].values()
    assert (place["since"], len(place["done"])) == ("2026-11-20T10:00:00.000Z", 1)
    assert datetime.fromisoformat(cursor["swept"]) == datetime.fromisoformat(NOW).astimezone(UTC)
    assert module.UNSETTLED.total_seconds() >= 60
