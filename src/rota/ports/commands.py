"""One command of a step or a runner: its output up to a cap, and its end in words."""

from __future__ import annotations

import codecs
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rota.model.errors import StepError
from rota.model.job import ProcessLimits
from rota.model.run import Reason
from rota.ports.processes import Command, Exit, OnOutput
from rota.ports.steps import Failed, StepContext

_LONGEST = 128 * 1024 - 1  # Linux: one argument, or one NAME=value, with the NUL at its end
_TAIL = 2_000
_LINE = 200
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class CommandResult:
    """How a command ended. `complete`: `stdout` is all that it printed. `last_line`: its last words.

    `limits`: the caps that it ran under.
    """

    exit: Exit
    stdout: str
    complete: bool
    last_line: str
    limits: ProcessLimits | None = None

    def failure(self, ok_codes: Sequence[int] = (0,)) -> Failed | None:
        """The failure that this end means, if it means one."""
        if self.exit.limit is not None and self.exit.code not in ok_codes:
            reason = Reason(
                "limit", f"limit: {overrun_words(self.exit.limit, self.limits or ProcessLimits())}"
            )
            return Failed(reason, exit_code=self.exit.code, output=self.stdout)
        if self.exit.signal is not None or self.exit.code is None:
            return Failed(Reason("killed", f"ended by {_signal_name(self.exit.signal)}"), output=self.stdout)
        if self.exit.code in ok_codes:
            return None
        words = f": {self.last_line}" if self.last_line else ""
        reason = Reason("exit_nonzero", f"exit code {self.exit.code}{words}")
        return Failed(reason, exit_code=self.exit.code, output=self.stdout)


async def run_command(
    ctx: StepContext,
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> CommandResult:
    """Run `argv` in the workspace (or `cwd`) with the step's environment (or `env`), logging what it prints.

    Raises StepError (permanent) for what cannot be passed to a program or started.
    """
    environment = dict(ctx.env if env is None else env)
    texts = [*argv, *(f"{name}={value}" for name, value in environment.items())]
    whole = "".join(texts)
    if not whole.isascii() or "\0" in whole or len(whole) > _LONGEST:  # else each of them can be passed
        for text in texts:
            _check_passable(text)
    if not argv or not argv[0]:
        raise StepError("the command is empty", permanent=True, hint="name a program")
    given = None if stdin is None else stdin.encode("utf-8", "replace")
    capture = Capture(ctx.config.limits.value, ctx.log)
    command = Command(tuple(argv), cwd or ctx.workspace, environment, given, ctx.limits)
    end = await ctx.services.processes.run(command, capture)
    if not capture.complete:
        ctx.say(f"more than {ctx.config.limits.value} bytes were printed: later steps see the beginning only")
    return CommandResult(end, capture.text(), capture.complete, capture.last_line(), ctx.limits)


class Capture:
    """An OnOutput that passes everything on and keeps the beginning of stdout (`limit` bytes) and the last words."""

    def __init__(self, limit: int, then: OnOutput) -> None:
        self._limit = limit
        self._then = then
        self._kept = bytearray()
        self._tails: dict[str, bytes] = {}
        self.left_out = 0

    def __call__(self, stream: str, data: bytes) -> None:
        """Take output as it comes."""
        self._then(stream, data)
        self._tails[stream] = (self._tails.get(stream, b"") + data[-_TAIL:])[-_TAIL:]
        if stream == "stdout":
            room = self._limit - len(self._kept)
            self._kept += data[:room]
            self.left_out += max(0, len(data) - room)

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""
        return self.left_out == 0

    def text(self) -> str:
        """What was kept of stdout, without newlines at its end; says so where something was left out."""
        if not self._kept and self.complete:
            return ""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(bytes(self._kept), self.complete)  # a character cut in half is left out too
        return text.rstrip("\n") if self.complete else text + _left_out(self.left_out)

    def last_line(self) -> str:
        """The last line of stderr, else of stdout; at most 200 characters, no control characters."""
        for stream in ("stderr", "stdout"):
            text = self._tails.get(stream, b"").decode("utf-8", "replace")
            lines = [_ESCAPES.sub("", line).strip() for line in text.replace("\r", "\n").split("\n")]
            last = next((line for line in reversed(lines) if line), "")
            if last:
                return last if len(last) <= _LINE else f"{last[: _LINE - 1]}…"
        return ""


def capped(text: str, limit: int) -> str:
    """The text, or its first `limit` bytes and how many were left out."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text
    return data[:limit].decode("utf-8", "ignore") + _left_out(len(data) - limit)


def _left_out(count: int) -> str:
    return f"\n[rota: {count} more bytes left out]"


def _check_passable(text: str) -> None:
    if "\0" in text:
        raise StepError(
            "a value with a NUL character cannot be passed to a command",
            code="bad_value",
            permanent=True,
            hint="give it by `stdin:`",
        )
    try:
        length = len(os.fsencode(text))
    except UnicodeEncodeError as error:
        raise StepError(
            "a value with a broken character (a lone surrogate) cannot be passed to a command",
            code="bad_value",
            permanent=True,
        ) from error
    if length > _LONGEST:
        raise StepError(
            f"a value of {length} bytes is too long to be passed to a command",
            code="bad_value",
            permanent=True,
            hint="give it by `stdin:`, or write it to a file first (`write:`)",
        )


def overrun_words(limit: str, limits: ProcessLimits) -> str:
    """The cap that was run into (`memory` or `processes`), for people."""
    if limit == "memory":
        size = limits.memory or 0
        return f"out of memory ({size / 1e9:g} GB)" if size >= 1e9 else f"out of memory ({size / 1e6:g} MB)"
    return f"too many processes (more than {limits.processes})"


def _signal_name(number: int | None) -> str:
    try:
        name = signal.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (by hand, or because memory ran out)" if name == "SIGKILL" else name
