"""The ledger's rows, and the runtime record of jobs and triggers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rota.model.instants import Micros
from rota.model.run import Reason


class Outcome(StrEnum):
    """How an occurrence ended."""

    RAN = "ran"
    SKIPPED = "skipped"
    MISSED = "missed"


@dataclass(frozen=True)
class Occurrence:
    """One moment at which a trigger called for a run; unique by (job, trigger, key).

    `until` and `count` describe a stretch of moments that one row stands for (`count` 1: just
    `due_at`), so that a year of missed seconds stays small.
    """

    job_id: str
    trigger_id: str
    key: str
    due_at: Micros
    noticed_at: Micros
    outcome: Outcome
    reason: Reason
    run_id: str | None = None
    until: Micros | None = None
    count: int = 1
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JobRecord:
    """A job in the runtime registry: its definition and what became of it.

    `definition`: JSON of `model.job.Job`; `hash`: of that JSON. `origin`: file or store. `path`:
    relative to the workspace. `error`: why the file's present content is not used (the definition is
    then the last good version). `warnings`: what `rota check` would say. `created_by`, `changed_by`,
    `removed_by`: the number of the proposal by which an agent did it, the last change; None: a person did.
    """

    id: str
    name: str
    definition: str
    hash: str
    origin: str
    created_at: Micros
    updated_at: Micros
    path: str | None = None
    description: str = ""
    schedule: str = ""
    timezone: str = "UTC"
    enabled: bool = True
    paused_at: Micros | None = None
    paused_reason: str | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    removed_at: Micros | None = None
    created_by: int | None = None
    changed_by: int | None = None
    removed_by: int | None = None

    @property
    def status(self) -> str:
        """active, paused, disabled, broken or removed: what `rota list` shows."""
        if self.removed_at is not None:
            return "removed"
        if self.error is not None:
            return "broken"
        if self.paused_at is not None:
            return "paused"
        return "active" if self.enabled else "disabled"


@dataclass(frozen=True)
class TriggerRecord:
    """A time trigger and its place in time. `next_due` None: nothing is due any more.

    `since`: the instant up to which every due moment is in the ledger.
    """

    job_id: str
    trigger_id: str
    kind: str
    text: str
    timezone: str
    anchor: Micros | None
    since: Micros
    next_due: Micros | None


@dataclass(frozen=True)
class BrokenFile:
    """A job file that cannot be used at present, whether or not it ever was good."""

    path: str
    error: str
    line: int | None
    hint: str | None
    seen_at: Micros


@dataclass(frozen=True)
class DaemonRecord:
    """One life of a daemon: what `rota why` needs to say when nobody was looking."""

    id: str
    pid: int
    host: str
    started_at: Micros
    seen_at: Micros
    stopped_at: Micros | None = None


@dataclass(frozen=True)
class Event:
    """An append-only fact, written in the transaction of the change that it tells of."""

    kind: str
    at: Micros
    job_id: str | None = None
    run_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    id: int | None = None
