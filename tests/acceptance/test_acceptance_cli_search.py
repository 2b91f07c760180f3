"""Index, search and context, as a person and as a job use them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.rota import Rota, eventually, new_workspace

from rota.workspace.index.db import index_path, only_one

TODAY = datetime.now(UTC)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Rota]:
    """A workspace with a few notes."""
    with new_workspace(tmp_path / "desk") as rota:
        day = f"{TODAY - timedelta(days=2):%Y-%m-%d}"
        rota.write(
            f"meetings/{day}-halden.md", "# Halden\n\n## Actions\n\n- both variants of the consent screen\n"
        )
        rota.write("meetings/2025-01-07-halden.md", "# Halden\n\nThe consent screen can wait.\n")
        rota.write(
            "projects/attic.md", "---\ntags: [home]\n---\n# The attic\n\nA quote for the roof window.\n"
        )
        rota.write(".env", "TOKEN=consent\n")
        yield rota


def test_a_search_needs_no_preparation(desk: Rota) -> None:
    said = desk("search", "consent", "screen")
    first, second = said.out.split("\n\n")
    assert first.startswith(f"meetings/{TODAY - timedelta(days=2):%Y-%m-%d}-halden.md:5  Halden › Actions, ")
    assert first.endswith("\n    - both variants of the **consent** **screen**")
    assert second.startswith("meetings/2025-01-07-halden.md:3  Halden, 7 Jan 2025\n")
    assert said.err == ""


def test_what_changed_is_found_at_once_unless_told_otherwise(desk: Rota) -> None:
    desk.quick("search", "roof")
    desk.write("new.md", "A second roof.")
    assert "new.md" not in desk.quick("search", "roof", "--no-index").out
    assert "new.md:1" in desk.quick("search", "roof").out
    (desk.root / "new.md").unlink()
    assert "new.md" not in desk.quick("search", "roof").out


def test_narrowing(desk: Rota) -> None:
    recent = desk.quick("search", "consent", "--since", "7d").out
    assert "2025-01-07" not in recent
    assert "consent" in recent
    assert desk.quick("search", "window", "--in", "meetings").out == ""
    assert "attic.md" in desk.quick("search", "window tag:home path:projects").out
    assert "attic" not in desk.quick("search", "quote OR consent", "-roof").out
    assert desk.quick("search", "consent", "--limit", "1").out.count("\n\n") == 0


def test_while_another_process_indexes_what_is_there_is_searched(desk: Rota) -> None:
    desk.quick("index")
    with only_one(index_path(desk.layout), 0.0):
        desk.write("new.md", "A second roof.")
        said = desk.quick("search", "roof")
        assert desk.quick("index", "--if-changed").err == ""
    assert "attic.md" in said.out
    assert "new.md" not in said.out
    assert "Another process is indexing" in said.err


def test_json_has_places_and_marks(desk: Rota) -> None:
    found = desk.quick("search", "roof", "--json").json
    (hit,) = found["hits"]
    assert (hit["path"], hit["line"], hit["heading"], hit["title"]) == (
        "projects/attic.md",
        6,
        "The attic",
        "The attic",
    )
    (mark,) = hit["marks"]
    assert hit["snippet"][slice(*mark)] == "roof"
    assert found["partly"] is False


def test_what_goes_wrong_is_said(desk: Rota) -> None:
    assert "there is no index" in desk.quick("search", "x", "--no-index", code=1).err
    assert "rota index" in desk.quick("search", "x", "--no-index", code=1).hint
    assert "Nothing found" in desk.quick("search", "unicorn").err
    assert "some of them" in desk.quick("search", "unicorn roof").err
    assert "no word to look for" in desk.quick("search", "--", "-", code=1).err
    assert "there is no file or folder nowhere" in desk.quick("search", "x", "--in", "nowhere", code=1).err
    assert "cannot read since when" in desk.quick("search", "x", "--since", "soon", code=1).err
    assert desk.quick("search", "-h").out.startswith("Usage:")
    assert desk.quick("search", code=2).err.startswith("rota: Missing argument")


def test_index_says_what_it_did_and_with_if_changed_only_that(desk: Rota) -> None:
    assert "3 files indexed" in desk.quick("index").out
    assert desk.quick("index", "--if-changed").out == ""
    desk.write("new.md", "x")
    assert "1 new" in desk.quick("index", "--if-changed").out
    report = desk.quick("index", "--rebuild", "--json").json
    assert (report["files"], report["added"], report["left_out"]) == (4, 4, {"secret": 1})
    index_path(desk.layout).write_bytes(b"rubbish")
    assert "made anew: it is damaged" in desk.quick("index").err


def test_without_the_folder_of_derived_data_all_is_made_again(desk: Rota) -> None:
    desk.quick("index")
    shutil.rmtree(desk.layout.cache)
    assert "attic.md" in desk.quick("search", "roof").out


def test_context_for_a_prompt(desk: Rota) -> None:
    said = desk.quick("context", "--for", "consent screen", "--budget", "300")
    assert said.out.startswith("# Context: consent screen\n")
    assert "```text\n[Halden › Actions]\n- both variants of the consent screen\n```\n" in said.out
    told = desk.quick("context", "--for", "consent", "--output", str(desk.root / "context.md"))
    assert told.out == ""
    assert "2 passages of 2 files, about" in told.err
    assert desk.read("context.md").startswith("# Context: consent\n")
    found = desk.quick("context", "--for", "window", "--in", "projects", "--json").json
    assert found["paths"] == ["projects/attic.md"]
    assert found["passages"][0]["text"] == "A quote for the roof window."
    assert 0 < found["tokens"] <= 8000


JOB = """\
on: manual
steps:
  - id: index
    index: true
  - id: context
    context: "consent {{ params.what }}"
    since: 30d
    output: .rota/jobs/output/context.md
  - write: seen.txt
    content: "{{ steps.index.files }} {{ steps.context.count }} {{ steps.context.paths | join(',') }}"
params:
  what: {default: screen}
"""


def test_as_steps_of_a_job(desk: Rota) -> None:
    desk.job("gather", JOB)
    assert desk.quick("check").code == 0
    said = desk("run", "gather")
    assert "gather succeeded" in said.err
    name = f"meetings/{TODAY - timedelta(days=2):%Y-%m-%d}-halden.md"
    assert f"3 2 {name},projects/attic.md" in desk.read("seen.txt")
    assert "both variants" in desk.read(".rota/jobs/output/context.md")
    assert "can wait" not in desk.read(".rota/jobs/output/context.md")
    logs = desk.quick("logs", "gather").out
    assert "[rota] 3 files indexed: 3 new, 0 changed, 0 gone" in logs
    assert "[rota] 2 passages of 2 files, about" in logs


def test_mistakes_in_job_files_and_settings_are_found_before_they_run(desk: Rota) -> None:
    file = desk.job(
        "bad", "on: manual\nsteps:\n  - context: plan\n    budget: 5\n    within: x\n  - index: false\n"
    )
    err = desk.quick("check", str(file), code=1)
    said = err.out + err.err
    assert "bad.yaml:4" in said
    assert "`steps.0.within`" in said
    assert "bad.yaml:6" in said
    file.unlink()
    desk.write(".rota/rota.yaml", "index:\n  exclude: ['!']\n  max_file: much\n  folder: x\n")
    err = desk.quick("check", code=1)
    said = err.out + err.err
    for line in (
        "rota.yaml:2: `index.exclude.0`",
        "rota.yaml:3: `index.max_file`",
        "rota.yaml:4: `index.folder`",
    ):
        assert line in said


def test_the_daemon_keeps_an_index_fresh_once_there_is_one(desk: Rota) -> None:
    desk.up()
    desk.quick("index")
    for number in range(3):
        desk.write(f"recordings/deep/{number}.md", f"recording {number} about a walrus")
    found = eventually(lambda: _hits(desk, "walrus") == 3, "the recordings are found")
    assert found
    (desk.root / "recordings/deep/0.md").unlink()
    desk.write("recordings/deep/1.md", "nothing")
    assert eventually(lambda: _hits(desk, "walrus") == 1, "the index follows")
    entries = [json.loads(line) for line in desk.lines(".rota/logs/daemon.log")]
    assert any(entry["event"] == "indexed" for entry in entries)
    assert not any(entry["level"] in {"error", "warning"} for entry in entries)


def test_the_daemon_leaves_the_index_alone_where_the_settings_say_so(desk: Rota) -> None:
    desk.write(".rota/rota.yaml", "timezone: UTC\nindex: {watch: false}\n")
    desk.quick("index")
    desk.write("new.md", "walrus")
    desk.up()
    desk.job("wait", "on: manual\nrun: sleep 5\n")
    desk("run", "wait", "--wait")
    assert _hits(desk, "walrus") == 0
    con = sqlite3.connect(index_path(desk.layout))
    try:
        assert con.execute("SELECT count(*) FROM files WHERE path = 'new.md'").fetchone() == (0,)
    finally:
        con.close()


def _hits(desk: Rota, word: str) -> int:
    return len(desk.quick("search", word, "--no-index", "--json", "--limit", "1000").json["hits"])
