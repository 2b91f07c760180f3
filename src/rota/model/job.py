"""A job as it is understood: triggers, steps and policies. What a job file says becomes this.

Durations are seconds (float). Every type is frozen and JSON-able by `spec.codec`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rota.model.budget import NO_BUDGET, Budget

DEFAULT_TIMEOUT = 300.0
EVIDENCE_TIMEOUT = 60.0
# The step as which the check of a run's evidence stands in its journal, after the job's own.
EVIDENCE_STEP = "success_if"
TIME_TRIGGERS = frozenset({"cron", "every", "at", "rrule"})


class Overlap(StrEnum):
    """What happens when a run is due while one of the same job is active."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_RUNNING = "cancel-running"
    ALLOW = "allow"


class CatchUpMode(StrEnum):
    """Which of the occurrences that passed while nobody looked are run."""

    LATEST = "latest"
    ALL = "all"
    NONE = "none"


class OnInterrupt(StrEnum):
    """What becomes of a step that was in flight when its owner died. `resume`: an agent goes on with its conversation."""

    RETRY = "retry"
    RESUME = "resume"
    FAIL = "fail"
    ASK = "ask"


@dataclass(frozen=True)
class CatchUp:
    """`within`: seconds after which an occurrence is too old to be made up for (None: never)."""

    mode: CatchUpMode = CatchUpMode.LATEST
    within: float | None = None


@dataclass(frozen=True)
class Retry:
    """How often a step (or a run) is tried in all, and how long to wait between the tries.

    `on`, `not_on`: words of `model.failures` that name the failures it is for (`on` empty: any), and not for.
    """

    attempts: int = 1
    backoff: str = "exponential"  # or "fixed"
    first: float = 10.0
    max: float = 600.0
    on: tuple[str, ...] = ()
    not_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """One thing that a run has to show before it counts as succeeded.

    `kind` and what `text` is then: file (its path), command, output (a pattern), schema (the path of a
    file with a JSON Schema; empty where `schema` is the schema itself). `step`: whose output is meant
    (None: the last one's). `min_size`: bytes; `contains`: a pattern in the file; `timeout`: seconds.
    """

    kind: str
    text: str = ""
    step: str | None = None
    min_size: int = 1
    contains: str | None = None
    timeout: float = EVIDENCE_TIMEOUT
    schema: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None


@dataclass(frozen=True)
class ProcessLimits:
    """Caps on what a command and all that it starts may take. None: no cap.

    `memory`: bytes that they hold together; `processes`: how many they are at once; `open_files`: of each.
    """

    memory: int | None = None
    processes: int | None = None
    open_files: int | None = None


@dataclass(frozen=True)
class Trigger:
    """Why a job starts.

    `id` is unique in its job and stable when the trigger's text changes, since it is part of the
    occurrence key. `kind`: cron, every, at, rrule, reboot, job, manual, webhook, files, poll.
    `text` is what `rota.schedule.parse` reads for a time trigger, else the kind's main value.
    `anchor`: ISO 8601, for `every` and `rrule`. `line`: where it stands in its file, if that is known.
    """

    id: str
    kind: str
    text: str = ""
    anchor: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Step:
    """A unit of a run. `kind` names a step kind; `config` is its parameters as the file has them.

    `needs` None: after the step before it; else the ids of the steps it waits for.
    `if_changed`: patterns of files and templates; the step is skipped while they give what they gave when it last
    succeeded (empty: its own rendered keys; None: it is not asked).
    `retry`, `limits` and `timeout` (seconds an attempt) None: the job's. `output`: a file in the workspace (or
    a channel's name) that receives the step's output text.
    """

    id: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    needs: tuple[str, ...] | None = None
    condition: str | None = None
    if_changed: tuple[str, ...] | None = None
    timeout: float | None = None
    retry: Retry | None = None
    limits: ProcessLimits | None = None
    on_interrupt: OnInterrupt | None = None
    output: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    continue_on_error: bool = False
    line: int | None = None


@dataclass(frozen=True)
class Param:
    """A typed input. `type`: string, integer, number, boolean; `choices` empty: any."""

    name: str
    type: str = "string"
    default: Any = None
    required: bool = False
    choices: tuple[Any, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class Notify:
    """One notification of a job: `type` names a channel kind or a channel of rota.yaml.

    `when`: which end of a run sends it: succeeded, failed, finished, waiting. `condition`: an
    expression over the run's values. `message`, `title`: templates. `config`: the channel's own keys.
    """

    type: str
    message: str | None = None
    title: str | None = None
    condition: str | None = None
    when: str = "succeeded"
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OnError:
    """`notify`: True sends to the job's own channels (or the workspace's default ones), a list names others."""

    notify: bool = True
    channels: tuple[Notify, ...] = ()
    message: str | None = None


@dataclass(frozen=True)
class Concurrency:
    """A named group that jobs share, and how many of its runs may be active at once."""

    group: str
    limit: int = 1


@dataclass(frozen=True)
class Window:
    """Spans of time, as `rota.schedule.read_span` reads them.

    `skip`: a run that may not start then is skipped, rather than put off until it may.
    """

    times: tuple[str, ...]
    skip: bool = False


@dataclass(frozen=True)
class Job:
    """A definition: triggers + steps + policies.

    `timezone` and `max_failures` None: the workspace's. `max_active`: runs of this job at once. `extra` keeps the keys
    of the file format that this version reads but does not act on yet (see spec.later).
    """

    id: str
    name: str
    steps: tuple[Step, ...]
    triggers: tuple[Trigger, ...] = ()
    description: str = ""
    enabled: bool = True
    timezone: str | None = None
    condition: str | None = None
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp()
    jitter: float = 0.0
    window: Window | None = None
    not_during: Window | None = None
    timeout: float | None = None
    retry: Retry = Retry()
    retry_run: Retry = Retry()
    success_if: tuple[Evidence, ...] = ()
    limits: ProcessLimits | None = None
    budget: Budget = NO_BUDGET
    params: tuple[Param, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    concurrency: Concurrency | None = None
    max_active: int | None = None
    max_failures: int | None = None
    priority: int = 0
    notify: tuple[Notify, ...] = ()
    on_error: OnError = OnError()
    on_recovery: OnError = OnError(notify=False)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def step(self, step_id: str) -> Step | None:
        """The step of that id."""
        return next((step for step in self.steps if step.id == step_id), None)
