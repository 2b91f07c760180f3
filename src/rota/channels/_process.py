"""A short-lived program that carries a message, ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from rota.model.errors import StepError

_TAIL = 4_000
_GRACE = 2.0


def run_program(
    argv: Sequence[str],
    *,
    what: str,
    timeout: float,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Exit code (negative: the signal) and the end of what it printed, at most 4,000 bytes.

    StepError: permanent when it cannot be started, transient when it takes longer than `timeout` seconds.
    """
    # A file rather than a pipe: a program that does not read its input cannot block us.
    with tempfile.TemporaryFile() as given:
        given.write(stdin.encode())
        given.seek(0)
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise _not_started(what, error) from None
    return _to_its_end(process, what, timeout)


def _not_started(what: str, error: Exception) -> StepError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return StepError(
        f"{what} cannot be started: {reason}",
        hint="check that the program exists, may be executed and is on PATH",
        code="bad_channel",
        permanent=not isinstance(error, BlockingIOError),  # EAGAIN: too many processes just now
    )


def _to_its_end(process: subprocess.Popen[bytes], what: str, timeout: float) -> tuple[int, str]:
    printed = bytearray()
    reader = threading.Thread(target=_keep_tail, args=(process.stdout, printed), daemon=True)
    reader.start()
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise StepError(
            f"{what} did not end within {timeout:g} s", code="unavailable", permanent=False
        ) from None
    finally:
        _end_group(process)
        reader.join(_GRACE)
    return code, bytes(printed).decode("utf-8", "replace")


def _keep_tail(stream: IO[bytes] | None, printed: bytearray) -> None:
    assert stream is not None  # noqa: S101 - it is a pipe, which the type of Popen cannot say
    with stream:
        while chunk := os.read(stream.fileno(), 65_536):
            printed += chunk
            del printed[:-_TAIL]


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        # PermissionError: what macOS answers for a group of which only a zombie is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def last_line(printed: str) -> str:
    """The last line with something in it: most often the program's complaint."""
    return next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "")
