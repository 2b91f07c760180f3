"""Triggers that look: their table in the state, and the files that they look at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from rota.model.instants import Micros
from rota.model.looks import FileSign, FileWatch, LookRecord

if TYPE_CHECKING:
    import asyncio


class LooksTable(Protocol):
    """Triggers that look, and what they have seen. A row is there as long as its job has the trigger."""

    def of(self, job_id: str) -> list[LookRecord]:
        """Those of a job, by id."""
        ...

    def all(self) -> list[LookRecord]:
        """Every one, by (job, trigger)."""
        ...

    def active(self, kind: str) -> list[LookRecord]:
        """Those of that kind whose job is enabled, not paused, not removed."""
        ...

    def register(self, record: LookRecord) -> None:
        """Insert it; one that is there keeps what it knows, and gets the kind and the text."""
        ...

    def save(self, record: LookRecord) -> bool:
        """Write how its looks went; False when it is not there any more."""
        ...

    def delete(self, job_id: str, trigger_id: str) -> None:
        """Forget it, and what it has seen; its occurrences stay."""
        ...

    def seen(self, job_id: str, trigger_id: str) -> Mapping[str, str]:
        """What it has seen: the version of each item."""
        ...

    def see(self, record: LookRecord, items: Mapping[str, str], now: Micros) -> None:
        """Keep the versions of these items."""
        ...

    def forget(self, record: LookRecord, items: Iterable[str] | None = None) -> None:
        """These items have not been seen; None: nothing has."""
        ...


class WatchedFiles(Protocol):
    """The files of a workspace, for triggers. The first two block, and are called in a thread."""

    def scan(self, watch: FileWatch) -> Mapping[str, FileSign]:
        """The files that the patterns mean, by path below the workspace. A folder that cannot be read is left out."""
        ...

    def digest(self, path: str, sign: FileSign) -> str | None:
        """What the content is, in a short text; None when the file is not (or not any more) as `sign` says."""
        ...

    async def wakes(self, watches: Callable[[], Collection[FileWatch]], wake: asyncio.Event) -> None:
        """Set `wake` soon after something may have changed in what `watches` mean, until cancelled."""
        ...
