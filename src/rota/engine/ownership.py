"""Who owns running runs: every engine holds a locked file, which a crash releases.

A lease that only a clock can end would be wrong after a clock change or a suspend; whether a process
of this machine still holds its lock is not. Owners on other machines are judged by their lease.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
from pathlib import Path
from typing import IO

from rota.model.instants import SECOND, Micros
from rota.model.run import Run

LEASE: Micros = 15 * SECOND


class Owner:
    """This process's claim to be alive. `id` is unique to each start."""

    def __init__(self, folder: Path) -> None:
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._folder = folder
        self._file: IO[str] | None = None

    def __enter__(self) -> Owner:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = (self._folder / f"{self.id}.lock").open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(FileNotFoundError):
                (self._folder / f"{self.id}.lock").unlink()
            self._file.close()
            self._file = None


def is_orphan(run: Run, folder: Path, me: str, now: Micros) -> bool:
    """Whether a running run's owner is gone."""
    if run.owner is None:
        return True
    if run.owner == me:
        return False
    host = run.owner.rsplit("-", 2)[0]
    if host != socket.gethostname():
        return run.lease_until is not None and run.lease_until < now
    return not _held(folder / f"{run.owner}.lock")


def _held(path: Path) -> bool:
    try:
        with path.open("r+") as file:
            fcntl.flock(
                file, fcntl.LOCK_SH | fcntl.LOCK_NB
            )  # shared: two that ask are no owner to each other
            path.unlink(missing_ok=True)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
