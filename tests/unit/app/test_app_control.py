"""One daemon to a workspace, by a lock that a crash releases; and nudges, which may get lost."""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from pathlib import Path

import pytest

from rota.app.control import (
    DaemonInfo,
    hold_lock,
    lock_path,
    nudge,
    nudges,
    running_daemon,
    socket_path,
)
from rota.model.errors import ConflictError
from rota.workspace.layout import Layout, make_private

ME = DaemonInfo(os.getpid(), 1_000_000, "0.1.0")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "work")
    make_private(made)
    return made


def test_the_holder_of_the_lock_is_the_daemon(layout: Layout) -> None:
    assert running_daemon(layout) is None
    with hold_lock(layout, ME):
        assert running_daemon(layout) == ME
    assert running_daemon(layout) is None


def test_a_second_one_is_told_who_is_first(layout: Layout) -> None:
    with (
        hold_lock(layout, ME),
        pytest.raises(ConflictError, match=f"pid {ME.pid}") as caught,
        hold_lock(layout, ME),
    ):
        pass
    assert caught.value.code == "already_running"
    assert running_daemon(layout) is None


def test_somebody_who_only_asks_does_not_keep_a_daemon_from_starting(layout: Layout) -> None:
    lock_path(layout).touch()
    asking = os.open(lock_path(layout), os.O_RDWR)
    fcntl.flock(asking, fcntl.LOCK_SH)  # what `running_daemon` holds while it looks
    threading.Timer(0.1, os.close, [asking]).start()
    with hold_lock(layout, ME):
        assert running_daemon(layout) == ME


def test_what_is_in_the_file_does_not_matter_without_the_lock(layout: Layout) -> None:
    lock_path(layout).write_text('{"pid": 1, "started_at": 2, "version": "3"}')
    assert running_daemon(layout) is None
    lock_path(layout).write_text("not json")
    with hold_lock(layout, ME):
        lock_path(layout).write_text("not json")
        assert running_daemon(layout) == DaemonInfo(0, 0, "")


def test_a_nudge_arrives_or_gets_lost(layout: Layout) -> None:
    assert not nudge(layout)
    with nudges(layout) as socket:
        assert nudge(layout, "look")
        assert socket.recv(100) == b"look"
        assert socket_path(layout).stat().st_mode & 0o077 == 0
    assert not socket_path(layout).exists()


def test_a_socket_that_a_crash_left_is_replaced(layout: Layout) -> None:
    socket_path(layout).write_text("stale")
    with nudges(layout) as socket:
        assert nudge(layout)
        assert socket.recv(100)


def test_a_long_path_has_its_socket_elsewhere() -> None:
    layout = Layout(Path("/work") / ("x" * 200))
    assert socket_path(layout).parent == Path(tempfile.gettempdir())
    assert len(os.fsencode(socket_path(layout))) <= 104
    assert socket_path(layout) != socket_path(Layout(Path("/work") / ("y" * 200)))
