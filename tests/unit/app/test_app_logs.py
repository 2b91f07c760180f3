"""The daemon's log on a disk that is full for a while."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from rota.app.logs import LATE, set_up_logging
from rota.workspace.layout import Layout


class Disk:
    """Takes `room` more bytes; None: all."""

    def __init__(self) -> None:
        self.room: int | None = None
        self._write = os.write

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.room is None:
            return self._write(fd, data)
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = self._write(fd, data[: self.room])
        self.room -= done
        return done


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk()
    monkeypatch.setattr("rota.app.logs.os.write", made.write)
    yield made
    structlog.reset_defaults()


def said(layout: Layout) -> list[int]:
    lines = (layout.logs / "daemon.log").read_text().splitlines()
    return [json.loads(line)["number"] for line in lines]


def test_what_a_full_disk_did_not_take_is_written_later(tmp_path: Path, disk: Disk) -> None:
    layout = Layout(tmp_path)
    set_up_logging(layout, 1_000_000, echo=False)
    log = structlog.get_logger("rota.test")
    log.info("said", number=1)
    disk.room = 30  # half a line, and then nothing more
    for number in range(2, 6):
        log.info("said", number=number)
    assert said(layout) == [1], "no half line is left"
    disk.room = None
    log.info("said", number=6)
    assert said(layout) == [1, 2, 3, 4, 5, 6]


def test_only_so_much_waits(tmp_path: Path, disk: Disk) -> None:
    layout = Layout(tmp_path)
    set_up_logging(layout, 1_000_000, echo=False)
    log = structlog.get_logger("rota.test")
    disk.room = 0
    for number in range(LATE + 100):
        log.info("said", number=number)
    disk.room = None
    log.info("said", number=-1)
    assert said(layout) == [*range(101, LATE + 100), -1]
