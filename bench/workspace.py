"""A workspace for measuring: made, filled, and its real daemon started and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from rota.app.init import initialise
from rota.app.wiring import App, open_app
from rota.workspace.layout import Layout

STARTED = "started.txt"
# `note` says when it started, and for which run; when that was due stands in the store.
MODULE = f"""
import os, time

def noop():
    pass

def note():
    now = time.time_ns()
    with open({STARTED!r}, "a") as file:
        file.write(f"{{os.environ['ROTA_RUN_ID']}} {{now}}\\n")
"""
NOOP = "on: manual\noverlap: allow\nsteps:\n  - python: work:noop\n"
SHELL = "on: manual\noverlap: allow\nsteps:\n  - run: [/bin/true]\n"
SECOND = "schedule: every 1s\nsteps:\n  - python: work:note\n"
# What is measured must not be pruned meanwhile.
KEEP_ALL = "\nlimits:\n  keep_runs: 100000000\n  keep_days: 10000\n"


class Bench:
    """A workspace in `root` and the commands that are measured in it."""

    def __init__(self, root: Path) -> None:
        initialise(root, "blank", "UTC")
        self.root = root
        self.layout = Layout(root.resolve())
        (root / "work.py").write_text(MODULE)
        with self.layout.config.open("a") as config:
            config.write(KEEP_ALL)

    def argv(self, *args: str) -> list[str]:
        """The real command."""
        return [str(Path(sys.executable).parent / "rota"), "-w", str(self.root), *args]

    def rota(self, *args: str) -> float:
        """Seconds that a command takes, from its start to its exit."""
        start = time.perf_counter()
        subprocess.run(self.argv(*args), check=True, capture_output=True, cwd=self.root)
        return time.perf_counter() - start

    def job(self, job_id: str, text: str) -> None:
        """A job file."""
        (self.layout.jobs / f"{job_id}.yaml").write_text(text)

    @contextlib.contextmanager
    def opened(self) -> Iterator[App]:
        """The facade over this workspace."""
        app = open_app(self.root)
        try:
            yield app
        finally:
            app.close()

    @contextlib.contextmanager
    def daemon(self) -> Iterator[tuple[psutil.Process, float]]:
        """The real daemon and the seconds until it was ready (as it tells systemd); ended afterwards."""
        path = f"/tmp/rota-bench-{os.getpid()}.sock"
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(path)
        listener.settimeout(120)
        start = time.perf_counter()
        process = subprocess.Popen(
            self.argv("up"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.root,
            env={**os.environ, "NOTIFY_SOCKET": path},
        )  # fmt: skip
        try:
            while b"READY=1" not in listener.recv(4096):
                pass
            yield psutil.Process(process.pid), time.perf_counter() - start
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            listener.close()
            Path(path).unlink()

    def started(self) -> dict[str, int]:
        """When `note` started, in nanoseconds, by run id."""
        file = self.root / STARTED
        lines = file.read_text().splitlines() if file.exists() else []
        return {run: int(at) for run, at in (line.split() for line in lines)}

    def lateness(self, app: App) -> list[float]:
        """Milliseconds from the due instant to the function's start, of each run that started."""
        late = []
        for run_id, at in self.started().items():
            run = app.store.read(lambda tx: tx.runs.get(run_id))  # noqa: B023 # called at once
            if run is not None and run.due_at is not None:
                late.append(at / 1e6 - run.due_at / 1e3)
        return late


def wait_until(done: Callable[[], bool], within: float, every: float = 0.02) -> None:
    """Ask again and again; a RuntimeError after `within` seconds."""
    deadline = time.monotonic() + within
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not done within {within:g} s")
        time.sleep(every)


def iso(seconds: float) -> str:
    """A wall-clock instant (seconds since the epoch) as job files have it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def at_jobs(bench: Bench, instants: Iterable[float]) -> int:
    """A job file for each instant; how many."""
    count = 0
    for count, instant in enumerate(instants, 1):
        bench.job(f"once-{count}", f'on: [{{at: "{iso(instant)}"}}]\nsteps:\n  - python: work:note\n')
    return count
