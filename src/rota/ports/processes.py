"""Child processes: commands, and warm hosts that run Python apart from the daemon."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rota.model.job import ProcessLimits

MARKER = "ROTA_RUN_ID"

# Called with "stdout" or "stderr" and the bytes as they come; must not block.
OnOutput = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Command:
    """A program to start: `argv` as it is (no shell), the whole environment, what it reads, what it may take.

    `kill_first`: when it has to be ended its own process is killed before anything else. What asks for money on its own
    must not go on asking while its tree gets its grace.
    """

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    stdin: bytes | None = None
    limits: ProcessLimits | None = None
    kill_first: bool = False


@dataclass(frozen=True)
class Exit:
    """How a child ended: an exit code, or the signal that ended it.

    `limit`: the cap that it ran into on the way: memory or processes.
    """

    code: int | None
    signal: int | None = None
    limit: str | None = None


@dataclass(frozen=True)
class HostCall:
    """A Python function to call in a host: `target` is `module:function` or `FILE.py:function`, `kwargs` JSON-able.

    `env` is set for the length of the call; `paths` come first on sys.path. `fresh`: files below
    these folders are user code, and a host that has imported an older version of one is replaced.
    `limits`: what the host of this call alone may take, with all that the call starts. `aside`: a short call for the
    sake of one that has a place already, and waits for this: it needs none of theirs.
    """

    target: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    paths: Sequence[Path] = ()
    fresh: Sequence[Path] = ()
    limits: ProcessLimits | None = None
    aside: bool = False


class Processes(Protocol):
    """Starts commands in their own session and ends whole trees."""

    async def run(self, command: Command, on_output: OnOutput) -> Exit:
        """Run to the end, then end whatever it left behind that carries its ROTA_RUN_ID marker.

        On cancellation of the awaiting coroutine: SIGTERM to the tree, a grace, SIGKILL, and only
        then the cancellation goes on. Raises StepError: permanent when it cannot be started; not
        so when what started it ended meanwhile (code `spawner_ended`), and the command with it.
        """
        ...

    async def sweep(self, markers: Mapping[str, str]) -> int:
        """End every process of this user whose environment has all of `markers`; how many there were."""
        ...

    async def close(self) -> None:
        """End what helps to start commands, and every command that still runs."""
        ...


class Hosts(Protocol):
    """A pool of warm child processes that call Python functions."""

    async def call(self, call: HostCall, on_output: OnOutput) -> Any:
        """The function's JSON-able result; coroutine functions are run.

        What the function prints goes to `on_output`. Raises StepError with the error's own words and,
        in the output, its traceback; a host that dies in the call gives a StepError too. On
        cancellation the host and its children are ended.
        """
        ...

    async def close(self) -> None:
        """End the idle hosts."""
        ...
