"""DBOS: durable functions and a queue on SQLite."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version

from dbos import DBOS, SetEnqueueOptions

import peer
from peer import Asked, main

QUEUE = "bench"
POLL = 0.05  # seconds


@DBOS.workflow()
def noop() -> None:
    """The job that does nothing."""


@DBOS.workflow()
def true() -> None:
    """The shell job."""
    peer.true()


@DBOS.workflow()
def note(due: float) -> None:
    """The job that says when it starts."""
    peer.note(due)


@DBOS.workflow()
def tick(due: datetime, _context: object) -> None:
    """The same, of a schedule."""
    peer.note(due.timestamp())


FUNCTIONS = {"noop": noop, "true": true}


class Dbos:
    """DBOS in this process, with its queue."""

    settings = f"SQLite, journal_mode=WAL, synchronous=FULL, queue asked every {POLL * 1e3:.0f} ms (not its default of 1 s)"

    def __init__(self, asked: Asked) -> None:
        self.version = f"DBOS {version('dbos')}"
        file = asked.folder / "dbos.db"
        # The mode stays with the file; FULL is what SQLite opens with.
        self._state = sqlite3.connect(file, isolation_level=None)
        self._state.execute("PRAGMA journal_mode=WAL")
        DBOS(
            config={
                "name": "bench",
                "system_database_url": f"sqlite:///{file}",
                "log_level": "ERROR",
                "enable_otlp": False,
                "scheduler_polling_interval_sec": 1.0,
            }
        )
        DBOS.launch()
        DBOS.register_queue(QUEUE, polling_interval_sec=POLL)
        self._seen = (0, 0.0)

    def queue(self, function: str, count: int) -> None:
        """A call each."""
        for _ in range(count):
            DBOS.enqueue_workflow(QUEUE, FUNCTIONS[function])

    def once(self, dues: Sequence[float]) -> None:
        """A delay each."""
        for due in dues:
            with SetEnqueueOptions(delay_seconds=due - time.time()):
                DBOS.enqueue_workflow(QUEUE, note, due)

    def each_second(self, ticks: int) -> None:  # noqa: ARG002 # a schedule has no end
        """A cron expression with seconds."""
        DBOS.create_schedule(
            schedule_name="each-second", workflow_fn=tick, schedule="* * * * * *", queue_name=QUEUE
        )

    def finished(self) -> tuple[int, float]:
        """By its table, which to the second says when: the last one is that which this was the first to see."""
        (count,) = self._state.execute(
            "SELECT count(*) FROM workflow_status WHERE status = 'SUCCESS'"
        ).fetchone()
        if count > self._seen[0]:
            self._seen = (count, time.time())
        return self._seen


@contextmanager
def opened(asked: Asked) -> Iterator[Dbos]:
    """Up, then down."""
    dbos = Dbos(asked)
    try:
        yield dbos
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    main(opened)
