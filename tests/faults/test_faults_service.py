"""Under a service manager: the real daemon says when it serves, reloads and ends, and is silent when it is stuck."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.rota import Rota, eventually

KINDS = ["path", pytest.param("abstract", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux"))]

# The daemon, whose scheduler hangs as soon as there is a file `stuck`.
HANGING = """
import asyncio
from pathlib import Path
from rota.cli.main import main
from rota.engine import pulse, scheduler

pulse.LONGEST_PASS = 4.0
once = scheduler.Scheduler.run_once

async def run_once(self, **options):
    if Path("stuck").exists():
        await asyncio.Event().wait()
    return await once(self, **options)

scheduler.Scheduler.run_once = run_once
main()
"""


class Manager:
    """The manager's end: every message that came, as its lines."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(0.0)
        self.messages: list[list[str]] = []

    def listen(self) -> list[list[str]]:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.messages.append(self._socket.recv(4096).decode().splitlines())
        return self.messages

    def count(self, line: str) -> int:
        return sum(line in message for message in self.listen())

    def wait_for(self, line: str, times: int = 1) -> None:
        eventually(lambda: self.count(line) >= times, f"the manager hears {line}")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(request: pytest.FixtureRequest, rota: Rota, tmp_path: Path) -> Iterator[Manager]:
    kind = getattr(request, "param", "path")
    address = (
        str(tmp_path / "notify") if kind == "path" else f"@rota-test-{os.getpid()}-{time.monotonic_ns()}"
    )
    manager = Manager(address)
    rota.env |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
    yield manager
    manager.close()


@pytest.mark.parametrize("manager", KINDS, indirect=True)
def test_the_manager_hears_of_start_reload_and_end(rota: Rota, manager: Manager) -> None:
    daemon = rota.start("up")
    manager.wait_for("READY=1")
    assert rota.daemon_pid() == daemon.pid
    manager.wait_for("WATCHDOG=1", 3)
    manager.wait_for("STATUS=serving, 0 runs in progress")

    rota.job("new", "run: 'true'\n")
    daemon.send_signal(signal.SIGHUP)
    manager.wait_for("READY=1", 2)
    assert rota.ids() == ["new"]
    (reloading,) = [message for message in manager.messages if "RELOADING=1" in message]
    since = next(int(line.removeprefix("MONOTONIC_USEC=")) for line in reloading if "MONOTONIC" in line)
    assert 0 < since <= time.monotonic_ns() // 1000
    words = [message[0] for message in manager.messages]
    assert words.index("RELOADING=1") < len(words) - 1 - words[::-1].index("READY=1")

    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=60)
    manager.wait_for("STOPPING=1")
    assert daemon.returncode == 0


def test_no_child_can_speak_in_its_name(rota: Rota, manager: Manager) -> None:
    rota.write(".rota/rota.yaml", 'timezone: UTC\nenv_allow: ["NOTIFY_*", "WATCHDOG_*", "ROTA_TEST_*"]\n')
    rota.env["ROTA_TEST_HERE"] = "yes"
    rota.write("functions.py", "import os\ndef seen(): return '\\n'.join(sorted(os.environ))\n")
    rota.job("shell", "run: env | cut -d= -f1\noutput: shell.txt\n")
    rota.job("host", "python: functions:seen\noutput: host.txt\n")
    daemon = rota.start("up")
    manager.wait_for("READY=1")
    for job in ("shell", "host"):
        rota("run", job, "--wait")
        seen = rota.lines(f"{job}.txt")
        assert "ROTA_TEST_HERE" in seen
        assert [name for name in seen if name.startswith(("NOTIFY_", "WATCHDOG_"))] == []
    helpers = psutil.Process(daemon.pid).children(recursive=True)
    assert helpers
    assert [child for child in helpers if "NOTIFY_SOCKET" in child.environ()] == []


def test_a_stuck_loop_ends_the_pings(rota: Rota, manager: Manager) -> None:
    daemon = subprocess.Popen(
        [sys.executable, "-c", HANGING, "-w", str(rota.root), "up"], cwd=rota.root, env=rota.environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        manager.wait_for("WATCHDOG=1", 3)
        rota.write("stuck", "")
        rota.job("nudge", "run: 'true'\n")
        eventually(
            lambda: any(m[0].startswith("STATUS=stuck: ") and "scheduler" in m[0] for m in manager.listen())
        )
        pings = manager.count("WATCHDOG=1")
        time.sleep(2.0)
        assert manager.count("WATCHDOG=1") == pings
        assert '"event": "loops_stuck"' in rota.read(".rota/logs/daemon.log")
        assert daemon.poll() is None, "the event loop goes on: it is the pings that tell"
    finally:
        daemon.kill()
        daemon.wait()


def test_a_manager_that_is_not_there_does_no_harm(rota: Rota, tmp_path: Path) -> None:
    rota.env |= {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "100000"}
    rota.job("here", "run: echo here\n")
    rota.up()
    rota("run", "here", "--wait")
    assert rota.runs("here")[0]["state"] == "succeeded"
    rota("down")
