"""The index under faults: killed while it is written, written by several, thousands of changes, a full folder."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.rota import Rota, eventually, new_workspace

from rota.workspace.index.db import index_path

FILES = 400


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Rota]:
    with new_workspace(tmp_path / "desk") as rota:
        _notes(rota, FILES)
        yield rota


def _notes(rota: Rota, count: int, word: str = "needle") -> None:
    for number in range(count):
        rota.write(
            f"notes/{number % 20}/{number}.md", f"# Note {number}\n\nThe {word} is number{number}.\n" * 5
        )


def _whole(rota: Rota, count: int) -> None:
    """Every file is in it once, and the words lead to passages that are there."""
    con = sqlite3.connect(index_path(rota.layout))
    try:
        assert con.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert con.execute("SELECT count(*), count(DISTINCT path) FROM files").fetchone() == (count, count)
        (words,) = con.execute("SELECT count(*) FROM words").fetchone()
        (passages,) = con.execute("SELECT count(*) FROM passages").fetchone()
        assert words == passages > 0
        sql = "SELECT count(*) FROM words WHERE words MATCH 'number7'"
        assert con.execute(sql).fetchone()[0] == 5
    finally:
        con.close()


def test_an_indexer_that_is_killed_at_any_moment_leaves_an_index_that_goes_on(desk: Rota) -> None:
    chance = random.Random(7)
    for _ in range(6):
        process = desk.start("index", *(["--rebuild"] if chance.random() < 0.5 else []))
        time.sleep(chance.uniform(0.0, 1.2))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert f"{FILES} files indexed" in desk("index").out
    _whole(desk, FILES)
    assert len(desk.quick("search", "number7", "--json").json["hits"]) == 3


def test_many_processes_index_and_search_at_once(desk: Rota) -> None:
    started = [desk.start("index", "--json") for _ in range(3)]
    started += [desk.start("search", "needle", "--json") for _ in range(2)]
    started.append(desk.start("index", "--rebuild"))
    for process in started:
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, (out, err)
    _whole(desk, FILES)


def test_thousands_of_changes_at_once_are_indexed_and_hold_up_no_job(desk: Rota) -> None:
    desk.up()
    desk.quick("index")
    desk.job("quick", "on: manual\nrun: echo done\n")
    _notes(desk, 3000, "walrus")
    assert "quick succeeded" in desk("run", "quick", "--wait").err

    def all_found() -> bool:
        con = sqlite3.connect(index_path(desk.layout))
        try:
            (count,) = con.execute("SELECT count(*) FROM words WHERE words MATCH 'walrus'").fetchone()
        finally:
            con.close()
        return bool(count == 5 * 3000)

    assert eventually(all_found, "every change is in the index")
    _whole(desk, 3000)


def test_a_damaged_index_under_a_running_daemon_is_made_anew(desk: Rota) -> None:
    desk.quick("index")
    desk.up()
    index_path(desk.layout).write_bytes(b"no database " * 1000)
    desk.write("new.md", "A walrus.")
    assert [hit["path"] for hit in desk.quick("search", "walrus", "--json").json["hits"]] == ["new.md"]
    _whole(desk, FILES + 1)


def test_a_place_that_cannot_be_written_is_said_and_what_is_there_can_still_be_asked(desk: Rota) -> None:
    desk.quick("index")
    lock = index_path(desk.layout).with_name("index.lock")
    lock.unlink()
    lock.mkdir()
    said = desk("search", "needle", code=1)
    assert "cannot write the index" in said.err
    assert "permissions" in said.hint
    assert desk.quick("search", "needle", "--no-index", "--json").json["hits"]
