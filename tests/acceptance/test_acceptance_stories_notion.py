"""A story of the starter `personal-os`: what is in Notion is at hand as Markdown, and nothing is done while nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.notion_server import TOKEN, NotionServer, block, serving
from tests.support.rota import Rota, eventually, new_workspace
from tests.support.stories import differences, files_of

EARLY, LATER, LATEST = (f"2026-11-{day}T10:00:00.000Z" for day in (20, 21, 22))
LOG = "now/notifications.log"


@pytest.fixture
def mara(tmp_path: Path) -> Iterator[Rota]:
    """The starter, made by `rota init --template`."""
    with new_workspace(tmp_path / "mara", "--template", "personal-os") as rota:
        yield rota


@contextmanager
def notion_of(mara: Rota) -> Iterator[NotionServer]:
    """A Notion with a database of two pages and a page beside it, and the job set up as its file says."""
    with serving() as notion:
        notion.database("Projects")
        notion.page("Attic", block("paragraph", "Measure it."), edited=EARLY, source="Projects")
        notion.page("Film", block("heading_1", "Storyboard"), edited=EARLY, source="Projects")
        notion.page("Reading list", block("bulleted_list_item", "Walden"), edited=EARLY)
        settings = mara.read(".rota/rota.yaml") + f"\nsources: {{notion: {{base_url: {notion.url}}}}}\n"
        mara.write(".rota/rota.yaml", settings)
        mara.quick("secret", "set", "NOTION_TOKEN", stdin=TOKEN)
        # As a person would: ask every second rather than every quarter of an hour.
        mara.job("notion-sync", mara.read(".rota/jobs/notion-sync.yaml").replace("every: 15m", "every: 1s"))
        mara.quick("edit", "notion-sync", "--set", "enabled=true")
        yield notion


def told(mara: Rota, count: int) -> list[str]:
    """What she was told, once it is so many messages."""
    return eventually(lambda: lines if len(lines := mara.lines(LOG)) >= count else [], f"{count} messages")


def polled(notion: NotionServer) -> None:
    """Wait until it was asked two more times, so that one of them began after now."""
    before = notion.asked("/v1/search")
    eventually(lambda: notion.asked("/v1/search") >= before + 2, "it is polled again")


def test_one_edit_is_one_file_and_one_run(mara: Rota) -> None:
    with notion_of(mara) as notion:
        mara.up()

        # At first everything is made a note, and that is one run with one message.
        (first,) = told(mara, 1)
        assert "Notion: 3 changed:" in first
        texts = {
            path.stem.rpartition("-")[0]: path for path in (mara.root / "resources/notion").rglob("*.md")
        }
        assert set(texts) == {"attic", "film", "reading-list"}
        assert texts["attic"].parent.name == "projects", "pages of a database are together"
        assert "\n# Storyboard\n" in texts["film"].read_text()
        assert texts["reading-list"].read_text().endswith("- Walden\n")
        assert (
            mara.quick("search", "Walden", "--json").json["hits"][0]["path"].startswith("resources/notion/")
        )

        # While nothing changes it is asked, and nothing is done.
        before = files_of(mara.root)
        polled(notion)
        assert differences(before, files_of(mara.root)) == []
        assert len(mara.runs("notion-sync")) == 1

        # One page is edited: its note is written, and no other file; one run, one message.
        notion.page("Attic", block("paragraph", "It is 2.04 m."), edited=LATER, source="Projects")
        assert "Notion: 1 changed: Attic" in told(mara, 2)[1]
        polled(notion)
        attic = texts["attic"].relative_to(mara.root).as_posix()
        assert differences(before, files_of(mara.root)) == sorted([attic, LOG])
        assert texts["attic"].read_text().endswith("It is 2.04 m.\n")
        assert [run["state"] for run in mara.runs("notion-sync")] == ["succeeded"] * 2
        assert "ran: notion: Attic changed; run" in mara.quick("why", "notion-sync").out

        # And again nothing, until something is edited.
        after = files_of(mara.root)
        polled(notion)
        assert differences(after, files_of(mara.root)) == []
        assert len(mara.runs("notion-sync")) == 2
    assert TOKEN not in mara.read(".rota/logs/daemon.log")


def test_what_she_wrote_in_a_note_stays(mara: Rota) -> None:
    with notion_of(mara) as notion:
        mara.up()
        told(mara, 1)
        (note,) = (mara.root / "resources/notion").rglob("attic-*.md")
        note.write_text("My own words.\n")
        notion.page("Attic", block("paragraph", "Plant a garden."), edited=LATER, source="Projects")

        # The news is beside it, and she is told of that once, besides of the change.
        beside = note.with_name(f"{note.stem}.from-notion.md")
        eventually(beside.exists, "the news is beside it")
        told(mara, 3)
        polled(notion)
        assert note.read_text() == "My own words.\n"
        assert beside.read_text().endswith("Plant a garden.\n")
        words = mara.read(LOG)
        assert words.count("was changed by hand") == 1
        assert str(beside.relative_to(mara.root)) in words
        assert words.count("Notion: 1 changed: Attic") == 1

        # The next edit goes there, too; her file is hers.
        notion.page("Attic", block("paragraph", "Plant two."), edited=LATEST, source="Projects")
        eventually(lambda: beside.read_text().endswith("Plant two.\n"), "the news of the news")
        assert note.read_text() == "My own words.\n"


def test_an_agent_that_follows_notion_is_paid_for_what_changed(mara: Rota) -> None:
    """A poll that finds nothing costs nothing: no run, no prompt, no row in the ledger."""
    mara.write("scripts/agent.sh", "cat > now/prompt.txt; echo asked >> now/asked.txt; echo Read.\n")
    mara.write(".rota/rota.yaml", mara.read(".rota/rota.yaml") + "\nagent:\n  command: sh scripts/agent.sh\n")
    with notion_of(mara) as notion:
        mara.job(
            "digest",
            "on: [{poll: notion, every: 1s, initial: true, batch: true}]\n"
            "prompt: \"Sum up: {{ items | map(attribute='title') | join(', ') }}\"\noutput: now/digest.md\n",
        )
        mara.up()
        eventually(lambda: mara.lines("now/asked.txt"), "the agent has read what is there")
        for _ in range(3):
            polled(notion)
        assert mara.lines("now/asked.txt") == ["asked"]
        assert len(mara.quick("why", "digest", "--json").json["occurrences"]) == 1
        notion.page("Film", block("paragraph", "Second login."), edited=LATER, source="Projects")
        eventually(lambda: len(mara.lines("now/asked.txt")) == 2, "it is asked about what changed")
        assert mara.read("now/prompt.txt").startswith("Sum up: Film")


def test_without_its_token_the_job_says_what_to_set(mara: Rota) -> None:
    fresh = mara.quick("doctor")
    assert "notion" not in fresh.out + fresh.err, "as it comes, the job is off"
    edited = mara.quick("edit", "notion-sync", "--set", "enabled=true")
    assert "It starts by poll notion every 15m; `rota run notion-sync` starts it now." in edited.err
    mara("tick")
    said = mara.quick("doctor", code=1).out
    assert "notion-sync cannot poll notion" in said
    assert "rota secret set NOTION_TOKEN" in said
    assert "rota secret set NOTION_TOKEN" in mara.quick("status").out

    # Given up: a job that is off is nothing to complain about.
    assert "It is disabled" in mara.quick("edit", "notion-sync", "--set", "enabled=false").err
    assert "notion" not in mara.quick("doctor").out + mara.quick("status").out
