"""The commands of a builtin agent: run by the daemon's own means, so that they end with all that they start."""

from __future__ import annotations

import asyncio

from rota.model.agent_policy import plain_argv
from rota.model.errors import StepError
from rota.model.job import ProcessLimits
from rota.ports.commands import overrun_words
from rota.ports.processes import Command
from rota.ports.steps import StepContext

_BEGINNING, _END = 24_000, 8_000


async def run_line(line: str, seconds: float, ctx: StepContext) -> dict[str, str]:
    """Run a command line in the workspace: `text` that it printed, and its `end` in words.

    Without a shell where it needs none. Nothing that it started is left.
    """
    argv = plain_argv(line) or ("/bin/sh", "-c", line)
    kept = _Kept(ctx)
    command = Command(argv, ctx.workspace, dict(ctx.env), b"", ctx.limits)
    try:
        async with asyncio.timeout(seconds) as deadline:
            end = await ctx.services.processes.run(command, kept)
    except TimeoutError:
        if not deadline.expired():
            raise
        words = f"it took longer than {seconds:g} seconds, and was ended with all that it started"
        return {"text": kept.text(), "end": words}
    except StepError as error:
        if not error.permanent:
            raise
        return {"text": error.message, "end": "not started"}
    if end.limit is not None:
        words = overrun_words(end.limit, ctx.limits or ProcessLimits())
    else:
        words = f"ended by signal {end.signal}" if end.code is None else f"exit {end.code}"
    return {"text": kept.text(), "end": words}


class _Kept:
    """What a command prints, in the order that it comes: its beginning and its end."""

    def __init__(self, ctx: StepContext) -> None:
        self._log = ctx.log
        self._beginning = bytearray()
        self._end = bytearray()
        self._left_out = 0

    def __call__(self, stream: str, data: bytes) -> None:
        """Take output as it comes; it goes into the step's log, too."""
        self._log(stream, data)
        room = _BEGINNING - len(self._beginning)
        self._beginning += data[:room]
        self._end += data[room:]
        if len(self._end) > _END:
            self._left_out += len(self._end) - _END
            del self._end[: len(self._end) - _END]

    def text(self) -> str:
        """It, and how much was left out between."""
        parts = [
            bytes(self._beginning).decode("utf-8", "replace"),
            bytes(self._end).decode("utf-8", "replace"),
        ]
        if self._left_out:
            parts.insert(1, f"\n[rota: {self._left_out:,} bytes left out]\n")
        return "".join(parts).rstrip("\n")
