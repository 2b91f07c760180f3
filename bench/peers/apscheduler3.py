"""APScheduler 3: its background scheduler over SQLAlchemyJobStore on SQLite."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import apscheduler
from apscheduler.events import EVENT_JOB_EXECUTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import create_engine, event

from peer import Asked, main, note, true

JOURNALS = {"wal": "WAL", "stock": "DELETE"}
_numbers = itertools.count()


def noop() -> None:
    """The job that does nothing."""


def tick(first: float) -> None:
    """Each occurrence runs, so that the nth run is the one that was due n seconds after the first."""
    note(first + next(_numbers))


FUNCTIONS = {"noop": noop, "true": true}


class APScheduler:
    """A scheduler with 10 threads, as it comes."""

    def __init__(self, asked: Asked) -> None:
        journal = JOURNALS[asked.variant]
        engine = create_engine(f"sqlite:///{asked.folder / 'jobs.db'}")

        @event.listens_for(engine, "connect")
        def pragmas(connection, _record):  # type: ignore[no-untyped-def] # the driver's own connection
            connection.execute(f"PRAGMA journal_mode={journal}")
            connection.execute("PRAGMA synchronous=FULL")

        self.settings = f"SQLAlchemyJobStore on SQLite, journal_mode={journal}, synchronous=FULL, 10 threads; keeps no results"
        self.version = f"APScheduler {apscheduler.version}"
        self.scheduler = BackgroundScheduler(
            jobstores={"default": SQLAlchemyJobStore(engine=engine)},
            executors={"default": ThreadPoolExecutor(10)},
            # Else it drops what is over a second late.
            job_defaults={"misfire_grace_time": None, "coalesce": False, "max_instances": 1000},
            timezone=UTC,
        )
        self._ended: list[float] = []
        self.scheduler.add_listener(lambda _: self._ended.append(time.time()), EVENT_JOB_EXECUTED)
        self.scheduler.start()

    def queue(self, function: str, count: int) -> None:
        """One job for each run: that is its only queue."""
        for _ in range(count):
            self.scheduler.add_job(FUNCTIONS[function])

    def once(self, dues: Sequence[float]) -> None:
        """A date trigger each."""
        for due in dues:
            self.scheduler.add_job(note, "date", run_date=datetime.fromtimestamp(due, UTC), args=[due])

    def each_second(self, ticks: int) -> None:  # noqa: ARG002 # an interval has no end
        """An interval trigger."""
        first = float(int(time.time()) + 2)
        begin = datetime.fromtimestamp(first, UTC)
        self.scheduler.add_job(tick, "interval", seconds=1, start_date=begin, args=[first])

    def finished(self) -> tuple[int, float]:
        """By its own events."""
        return len(self._ended), max(self._ended, default=0.0)


@contextmanager
def opened(asked: Asked) -> Iterator[APScheduler]:
    """Up, then down."""
    peer = APScheduler(asked)
    try:
        yield peer
    finally:
        peer.scheduler.shutdown(wait=False)


if __name__ == "__main__":
    main(opened, *JOURNALS)
