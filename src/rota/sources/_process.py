"""A program that a source runs: bounded in time and output, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rota.model.errors import StepError

_GRACE = 2.0
_TAIL = 4_000
_POLL = 0.02


@dataclass(frozen=True)
class Ended:
    """How a program ended. `code`: negative for a signal; `too_long`: it was ended for printing more than it may.

    `errors`: the end of what it wrote to stderr.
    """

    code: int
    output: bytes
    errors: str
    too_long: bool = False

    @property
    def complaint(self) -> str:
        """The last line with something in it, of stderr."""
        return next((line.strip() for line in reversed(self.errors.splitlines()) if line.strip()), "")


def run_program(
    argv: Sequence[str],
    *,
    what: str,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    limit: int,
    stdin: bytes = b"",
) -> Ended:
    """Run it to its end. StepError: permanent when it cannot be started, transient when it takes too long."""
    # A file rather than a pipe: a program that does not read its input cannot block us.
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=dict(env),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise _not_started(what, error) from None
    return _to_its_end(process, what, timeout, limit)


def _not_started(what: str, error: Exception) -> StepError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return StepError(
        f"{what} cannot be started: {reason}",
        hint="check that the program exists, may be executed and is on PATH",
        code="not_started",
        permanent=not isinstance(error, BlockingIOError),  # EAGAIN: too many processes just now
    )


def _to_its_end(process: subprocess.Popen[bytes], what: str, timeout: float, limit: int) -> Ended:
    output, errors = bytearray(), bytearray()
    full = threading.Event()
    readers = [
        threading.Thread(target=_keep_head, args=(process.stdout, output, limit, full), daemon=True),
        threading.Thread(target=_keep_tail, args=(process.stderr, errors), daemon=True),
    ]
    for reader in readers:
        reader.start()
    deadline = time.monotonic() + timeout
    try:
        while process.poll() is None and not full.is_set():
            if time.monotonic() > deadline:
                raise StepError(
                    f"{what} did not end within {timeout:g} s and was ended",
                    code="timeout",
                    permanent=False,
                    hint="`give_up_after:` of the source allows more time",
                )
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL)
    finally:
        _end_group(process)
        for reader in readers:
            reader.join(_GRACE)
    return Ended(process.returncode, bytes(output), bytes(errors).decode("utf-8", "replace"), full.is_set())


def _keep_head(stream: IO[bytes] | None, kept: bytearray, limit: int, full: threading.Event) -> None:
    assert stream is not None  # noqa: S101 - it is a pipe, which the type of Popen cannot say
    with stream:
        while chunk := os.read(stream.fileno(), 65_536):
            kept += chunk[: max(0, limit - len(kept))]
            if len(kept) >= limit:
                full.set()


def _keep_tail(stream: IO[bytes] | None, kept: bytearray) -> None:
    assert stream is not None  # noqa: S101 - the same
    with stream:
        while chunk := os.read(stream.fileno(), 65_536):
            kept += chunk
            del kept[:-_TAIL]


def _end_group(process: subprocess.Popen[bytes]) -> None:
    # What left the group is ended with the host, which is not used again after that.
    for sign in (signal.SIGTERM, signal.SIGKILL):
        # PermissionError: what macOS answers for a group of which only a zombie is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
