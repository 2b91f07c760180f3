"""Procrastinate: its worker in a process of its own, on Postgres."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import procrastinate
import psycopg

from peer import Asked, end, main, true
from peer import note as write_note
from postgres import server

DSN, EACH_SECOND = "BENCH_DSN", "BENCH_EACH_SECOND"
CONCURRENCY, POLL = 10, 0.05

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ.get(DSN, "")))


@app.task(name="noop")
async def noop() -> None:
    """The job that does nothing."""


app.task(name="true")(true)  # not async: it runs in a thread


@app.task(name="note")
async def note(due: float) -> None:
    """The job that says when it starts."""
    write_note(due)


async def tick(timestamp: int) -> None:
    """The same, of a schedule."""
    write_note(float(timestamp))


if EACH_SECOND in os.environ:
    app.periodic(cron="* * * * * *")(app.task(name="tick")(tick))


class Procrastinate:
    """Jobs are queued from here, and run in the worker."""

    settings = (
        f"Postgres, fsync and synchronous_commit on; queued in one batch, {CONCURRENCY} at once, "
        f"scheduled jobs asked for every {POLL * 1e3:.0f} ms (not its default of 5 s)"
    )

    def __init__(self, dsn: str, postgres: str) -> None:
        self.version = f"Procrastinate {version('procrastinate')}, Postgres {postgres}"
        os.environ[DSN] = dsn
        self._app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=dsn))
        self._app.open()
        self._app.schema_manager.apply_schema()
        self._state = psycopg.connect(dsn, autocommit=True)
        self._worker = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "procrastinate", "--app", "procrastinate_peer.app", "--log-level", "error",
             "worker", "--concurrency", str(CONCURRENCY), "--fetch-job-polling-interval", str(POLL)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)}, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def queue(self, function: str, count: int) -> None:
        """One batch."""
        self._app.configure_task(function).batch_defer(*({} for _ in range(count)))

    def once(self, dues: Sequence[float]) -> None:
        """A call each."""
        for due in dues:
            self._app.configure_task("note", schedule_at=datetime.fromtimestamp(due, UTC)).defer(due=due)

    def each_second(self, ticks: int) -> None:  # noqa: ARG002 # a schedule has no end
        """A cron expression with seconds, which a worker must have when it starts."""
        end(self._worker)
        os.environ[EACH_SECOND] = "1"
        self._worker = self._started()

    def finished(self) -> tuple[int, float]:
        """By its own events."""
        text = (
            "SELECT count(*), extract(epoch FROM max(at)) FROM procrastinate_events WHERE type = 'succeeded'"
        )
        count, last = self._state.execute(text).fetchone() or (0, None)
        return int(count), float(last or 0)

    def close(self) -> None:
        """End the worker."""
        end(self._worker)
        self._state.close()
        self._app.close()


@contextmanager
def opened(asked: Asked) -> Iterator[Procrastinate]:
    """Up, then down."""
    with server(asked.folder) as (dsn, postgres):
        peer = Procrastinate(dsn, postgres)
        try:
            yield peer
        finally:
            peer.close()


if __name__ == "__main__":
    main(opened)
