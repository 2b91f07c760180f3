"""Many quick calls at a time in one host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rota.model.errors import StepError
from rota.model.instants import Micros


class BatchCall(NamedTuple):
    """One call of a batch: see `ports.processes.HostCall`. `env` comes on top of the batch's; `timeout` in seconds."""

    target: str
    kwargs: Mapping[str, Any]
    env: Mapping[str, str]
    timeout: float


class Answer(NamedTuple):
    """How a call ended: with a JSON-able result, or an error."""

    started_at: Micros
    finished_at: Micros
    result: Any
    error: StepError | None = None


@dataclass(frozen=True)
class HostBatch:
    """Calls that see the same folders and environment, made one after another.

    `on_output` (number of the call, stream, bytes) is called before the call's `on_answer`. `on_back` says
    from which number on the calls were not begun, and never will be: they are the caller's again. It is
    called at most once: as soon as a call turns out slow, even the last one, or at an early end. None of
    the three may raise.
    """

    calls: Sequence[BatchCall]
    env: Mapping[str, str]
    cwd: Path
    paths: Sequence[Path]
    fresh: Sequence[Path]
    on_output: Callable[[int, str, bytes], None]
    on_answer: Callable[[int, Answer], None]
    on_back: Callable[[int], None]


class Batches(Protocol):
    """A pool of hosts that takes many calls at a time."""

    async def call_many(self, batch: HostBatch) -> None:
        """Make the calls, in one host. A call that runs longer than its timeout is ended with its host.

        On cancellation the host and its children are ended; the call that was under way gets no answer.
        """
        ...
