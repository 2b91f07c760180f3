"""Sources: what a pull gives, and where each of its consumers was left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rota.model.config import WorkspaceConfig


@dataclass(frozen=True)
class Conflict:
    """A file that a person has changed and for which the source has something new, which is in `beside`.

    Both are paths relative to the workspace. `version`: of what the source has, so that each is told of once.
    """

    path: str
    beside: str
    version: str = ""


@dataclass(frozen=True)
class Pulled:
    """What a source gave: `items` JSON-able, `text` Markdown for people and prompts, `note` a line for the log.

    `new`: the items that are new or changed since this consumer's last successful pull. `unchanged`: the source
    is known to be as it was then. `files`: what was written, relative to the workspace. `cursor`: where the
    source goes on next time. `kept`: what has to be stored (`SourceStates.put`, or `Done.kept`) once the
    consumer has done its work; before that, the same news comes again.
    """

    items: Sequence[Mapping[str, Any]]
    text: str
    note: str = ""
    new: Sequence[Mapping[str, Any]] = ()
    unchanged: bool = False
    files: Sequence[str] = ()
    conflicts: Sequence[Conflict] = ()
    cursor: Any = None
    kept: Mapping[str, Any] = field(default_factory=dict)


class SourceStates(Protocol):
    """Where sources were left, as JSON-able values by name (`place_of`, `report_of`); and what came of it."""

    async def get(self, name: str) -> Any:
        """None when there is none."""
        ...

    async def put(self, kept: Mapping[str, Any]) -> None:
        """Store what a successful pull left (`Pulled.kept`), in one commit."""
        ...

    async def failed(self, source: str, message: str) -> None:
        """A pull of that source did not work: what `rota source list` shows until one does."""
        ...

    async def tell(self, source: str, conflicts: Sequence[Conflict], config: WorkspaceConfig) -> None:
        """Queue a message about each conflict to the workspace's channels; none that was queued before."""
        ...


def place_of(source: str, fingerprint: str, consumer: str) -> str:
    """The name of a consumer's place in a source that is configured in one way."""
    return f"source:{source}:{fingerprint}:{consumer}"


def report_of(source: str) -> str:
    """The name of what is known of the latest pulls of a source, whoever asked.

    Its value: {"pulled_at", "items", "new", "consumer"} of the last one that worked; "failed_at" and "error"
    where one after it did not. Instants in microseconds.
    """
    return f"source:{source}"
