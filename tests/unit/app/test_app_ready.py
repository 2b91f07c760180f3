"""What is made ready before a first start is ready: the daemon itself imports nothing of what that takes."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.states import STATES

from rota.app.ready import make_ready
from rota.store import is_ready
from rota.workspace.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Of a workspace without a state, on a machine where nothing may be left beside the code."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = Layout(tmp_path)
    found.rota.mkdir()
    return found


def test_the_statements_are_made_in_a_process_of_their_own(layout: Layout) -> None:
    assert not is_ready(layout.state, layout.cache)
    make_ready(layout)
    assert is_ready(layout.state, layout.cache)
    layout.state.unlink()
    assert is_ready(layout.state, layout.cache), "to make a new state takes nothing but them"


def test_an_older_state_is_brought_up_to_date_in_a_process_of_its_own(layout: Layout) -> None:
    make_ready(layout)
    layout.state.unlink()
    with closing(sqlite3.connect(layout.state)) as connection:
        connection.executescript((STATES / "r0001.sql").read_text("utf-8"))
    assert not is_ready(layout.state, layout.cache)
    make_ready(layout)
    assert is_ready(layout.state, layout.cache)


def test_what_cannot_be_made_is_left_to_the_daemon_to_tell(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "nowhere")
    make_ready(layout)
    assert not layout.state.exists()
