"""Huey: SqliteHuey with its consumer's threads."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version

from huey import SqliteHuey
from huey.signals import SIGNAL_COMPLETE

from peer import Asked, main, note, true

WORKERS = 2


def noop() -> None:
    """The job that does nothing."""


class Huey:
    """A queue and a consumer in one process."""

    settings = (
        f"SqliteHuey as it comes (journal_mode=WAL, synchronous=FULL), {WORKERS} threads that look every 0.1 s, "
        "scheduler every 1 s (its least); deletes a job before it runs it, keeps no history"
    )

    def __init__(self, asked: Asked) -> None:
        self.version = f"Huey {version('huey')}"
        self.huey = SqliteHuey("bench", filename=str(asked.folder / "huey.db"))
        self.functions = {function.__name__: self.huey.task()(function) for function in (noop, true, note)}
        self._ended: list[float] = []

        @self.huey.signal(SIGNAL_COMPLETE)
        def ended(_signal: str, _task: object) -> None:
            self._ended.append(time.time())

        # By default an idle worker looks less and less often, at last every 10 s.
        self.consumer = self.huey.create_consumer(workers=WORKERS, max_delay=0.1)
        self.consumer.start()

    def queue(self, function: str, count: int) -> None:
        """A call each."""
        for _ in range(count):
            self.functions[function]()

    def once(self, dues: Sequence[float]) -> None:
        """An eta each."""
        for due in dues:
            self.functions["note"].schedule(args=(due,), eta=datetime.fromtimestamp(due, UTC))

    def each_second(self, ticks: int) -> None:
        """Etas: its periodic jobs run once a minute at most."""
        first = int(time.time()) + 2
        self.once([float(first + number) for number in range(ticks)])

    def finished(self) -> tuple[int, float]:
        """By its own signals: it keeps no record."""
        return len(self._ended), max(self._ended, default=0.0)


@contextmanager
def opened(asked: Asked) -> Iterator[Huey]:
    """Up, then down."""
    logging.getLogger("huey").setLevel(logging.ERROR)
    peer = Huey(asked)
    try:
        yield peer
    finally:
        peer.consumer.stop()


if __name__ == "__main__":
    main(opened)
