"""The line between a builtin agent, which works in a host, and the daemon: questions and answers, a line of JSON each.

A question is `[number, what, arguments]`, its answer `[number, answer, error]`; a number of 0 wants no answer. One end is
the daemon's (`open_line`), the other the host's (`Line`).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from rota.model.errors import RotaError, StepError

Answer = Callable[[Mapping[str, Any]], Awaitable[Any]]
_LONGEST = 64_000_000
_PREFIX = "rota-line-"
_DEEPEST = 75  # bytes: a Unix socket's path has 107 at most
_DAY = 86_400.0


@asynccontextmanager
async def open_line(answers: Mapping[str, Answer]) -> AsyncIterator[str]:
    """Answer one host's questions at the socket of the path that this gives, while the context is open.

    The socket is in a folder that only this user may enter. An answer that raises a RotaError is an error there.
    """
    folder = _private_folder()
    talks: set[asyncio.Task[Any]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            talks.add(task)
        try:
            await _answer_all(reader, writer, answers)
        except (OSError, ValueError, asyncio.IncompleteReadError):
            return  # the host has gone: who waits for its answer hears of that
        finally:
            writer.close()

    try:
        path = str(folder / "line")
        server = await asyncio.start_unix_server(talk, path, limit=_LONGEST)
        try:
            yield path
        finally:
            server.close()
            for task in talks:
                task.cancel()
            await asyncio.gather(*talks, return_exceptions=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _answer_all(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Mapping[str, Answer]
) -> None:
    while line := await reader.readline():
        number, what, arguments = json.loads(line)
        answer: Any = None
        error: Mapping[str, Any] | None = None
        try:
            answer = await answers[what](arguments)
        except RotaError as raised:
            error = {
                "message": raised.message,
                "hint": raised.hint,
                "code": raised.code,
                "permanent": raised.permanent,
            }
        except Exception as raised:  # noqa: BLE001 # who has asked hears of it, and the step fails in its words
            error = {
                "message": f"{type(raised).__name__}: {raised}",
                "hint": None,
                "code": "line",
                "permanent": False,
            }
        if number:
            writer.write(json.dumps([number, answer, error], default=str).encode() + b"\n")
            await writer.drain()


def _private_folder() -> Path:
    usual = Path(tempfile.gettempdir())
    # Where the usual one is too deep for a socket, another that is as private.
    place = usual if len(os.fsencode(usual)) <= _DEEPEST else Path("/tmp")  # noqa: S108 # only to make a private folder in it
    with suppress(OSError):
        for left in place.glob(f"{_PREFIX}*"):  # by a daemon that was killed
            if time.time() - left.stat().st_mtime > _DAY:
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))


class Line:
    """The host's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._last = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, path: str) -> AsyncIterator[Line]:
        """A line to the daemon that listens there."""
        reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST)
        try:
            yield cls(reader, writer)
        finally:
            with suppress(OSError):
                writer.close()
                await writer.wait_closed()

    async def ask(self, what: str, **arguments: Any) -> Any:
        """The daemon's answer. Raises StepError: what it says is wrong, or that it has gone."""
        self._last += 1
        await self._send(self._last, what, arguments)
        try:
            line = await self._reader.readline()
        except OSError:
            line = b""
        if not line:
            raise StepError("the line to the daemon is broken", code="host_died")
        _number, answer, error = json.loads(line)
        if error is not None:
            raise StepError(
                error["message"], hint=error["hint"], code=error["code"], permanent=error["permanent"]
            )
        return answer

    async def say(self, line: str) -> None:
        """A line of rota's own words in the step's log."""
        await self._send(0, "say", {"text": line})

    async def print(self, text: str) -> None:
        """Something of the agent's own in the step's log."""
        await self._send(0, "print", {"text": text})

    async def _send(self, number: int, what: str, arguments: Mapping[str, Any]) -> None:
        data = json.dumps([number, what, arguments], ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            raise StepError("the line to the daemon is broken", code="host_died") from None
