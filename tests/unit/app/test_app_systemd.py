"""Word to a service manager: only to the one that asked, and never in a child's mouth."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from rota.app.systemd import ServiceManager


@pytest.mark.parametrize(
    ("asked", "ping_every"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_pings_are_sent_twice_as_often_as_they_are_asked_for(
    asked: dict[str, str], ping_every: float | None
) -> None:
    environ = {"NOTIFY_SOCKET": "/nowhere", "PATH": "/bin", **asked}
    assert ServiceManager(environ).ping_every == ping_every
    assert environ == {"PATH": "/bin"}, "children see none of it"


def test_without_a_manager_nothing_is_sent_and_nothing_fails() -> None:
    manager = ServiceManager({"WATCHDOG_USEC": "60000000"})
    assert manager.ping_every is None
    manager.ready("serving")
    manager.ping()


def test_a_manager_that_does_not_listen_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "notify"))
        manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(10_000):  # more than a socket holds
            manager.status("x" * 100)
        assert deaf.recv(1000) == b"STATUS=" + b"x" * 100
