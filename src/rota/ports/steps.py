"""Step kinds: one file per kind in steps/, one line in its registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from rota.model.config import WorkspaceConfig
from rota.model.job import Job, Notify, OnInterrupt, ProcessLimits, Step
from rota.model.message import Message, OnDeny
from rota.model.run import Reason, Run
from rota.ports.agents import Desk, History, Meter, Runner, Sessions
from rota.ports.batches import Batches
from rota.ports.cards import Board
from rota.ports.clock import Clock
from rota.ports.processes import HostCall, Hosts, Processes
from rota.ports.sources import SourceStates

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Done:
    """The step did its work. `output`: text for later steps; `values`: names that it puts out (JSON-able).

    `kept`: places in sources by name, stored in the commit that ends the step.
    """

    output: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The step did not. `retry` False: trying again cannot help; `retry_after`: seconds, if asked for."""

    reason: Reason
    exit_code: int | None = None
    retry: bool = True
    retry_after: float | None = None
    output: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Waiting:
    """The step needs a person (or an interactive agent); the answer becomes its output.

    `kind`: prompt, approval or permission; `reason` is what the run shows meanwhile. `preview`: what it is about;
    `expires`: seconds until `fallback` is the answer, or the step fails for want of one; `on_deny`: of an
    approval. `notify`: channels that are told of it; where there are none those that hear of the job's errors.
    """

    kind: str
    question: str
    reason: Reason
    choices: tuple[str, ...] = ()
    preview: str | None = None
    expires: float | None = None
    fallback: str | None = None
    on_deny: OnDeny | None = None
    notify: tuple[Notify, ...] = ()


StepResult = Done | Failed | Waiting


@dataclass(frozen=True)
class StepContext:
    """Everything a step may use.

    `values`: what templates see (job, run, now, params, payload, steps, ...). `env`: the clean
    environment of its children, markers included. `timeout`: seconds until the attempt is cancelled.
    `log`: appends to the attempt's log. `say`: one line of rota's own into that log.
    """

    workspace: Path
    config: WorkspaceConfig
    job: Job
    step: Step
    run: Run
    attempt: int
    values: Mapping[str, Any]
    env: Mapping[str, str]
    timeout: float
    log: Callable[[str, bytes], None]
    services: Services

    @property
    def limits(self) -> ProcessLimits | None:
        """What the step's processes may take: its own caps, else the job's."""
        return self.step.limits or self.job.limits

    def say(self, line: str) -> None:
        """A line of rota's own words in the attempt's log."""
        self.log("rota", f"{line}\n".encode())


class StepKind(Protocol):
    """A kind of step.

    `params` validates the step's keys (its own key included); strings in them are rendered before
    `run` is called, but for the fields in `raw`, which the kind renders itself.
    """

    key: ClassVar[str]
    params: ClassVar[type[BaseModel]]
    raw: ClassVar[frozenset[str]]
    on_interrupt: ClassVar[OnInterrupt]

    async def run(self, params: Any, ctx: StepContext) -> StepResult:
        """Do the work. A raised RotaError is a failure in its words; anything else a failure too."""
        ...


@runtime_checkable
class HostedKind(StepKind, Protocol):
    """A kind of step whose whole work is one call in a host: many of them can be made at a time."""

    def call(self, params: Any, ctx: StepContext) -> HostCall:
        """The call. Raises a RotaError as `run` does."""
        ...

    def done(self, returned: Any, limit: int) -> Done:
        """What the function returned, as a result of at most `limit` bytes."""
        ...


class SecretSource(Protocol):
    """Where `${NAME}` comes from."""

    def get(self, name: str) -> str | None:
        """The secret, else the environment variable, of that name."""
        ...

    def known(self) -> Mapping[str, str]:
        """The stored secrets by name: what is masked wherever text is kept or shown."""
        ...


class SourceKind(Protocol):
    """A kind of source. `pull` blocks, so it is called in a host, as `target` (`module:function`).

    The function takes `config` (the source's keys, rendered, secrets filled in), `workspace` (path), `now`
    (ISO 8601) and `timezone`. A kind may have `wants`, a tuple of further arguments that it takes: `cursor` (what
    it returned as such when this consumer's last pull succeeded, else None), `source` (the name that it is
    asked by) and `news_only` (whether nothing is wanted of what is as it was at `cursor`); `defaults`, keys that are there unless somebody sets them: `{"token": "${NOTION_TOKEN}"}`; and
    `shells`, keys that are commands, which values reach as in a `run` step. It returns `items` and `text`, and may
    return more:

    - `items`: JSON-able mappings. `id` is stable for the same thing, `version` changes when it does. All of
      them, or those that are new or changed since `cursor`; its docstring says which.
    - `text`: Markdown for people and prompts. `note`: a line for the log.
    - `cursor`: JSON-able, where to go on next time; without secrets, since it is stored as it is.
    - `unchanged`: True when the source is known to be as it was at `cursor`.
    - `files`: paths written, relative to the workspace. `conflicts`: see `ports.sources.Conflict`.

    It raises StepError.
    """

    key: ClassVar[str]
    params: ClassVar[type[BaseModel]]
    target: ClassVar[str]


class ChannelKind(Protocol):
    """A kind of notification channel. `params` are its keys in `notify:` and in rota.yaml's `channels:`.

    `target` (`module:function`) blocks and is called in a host with `config` (secrets resolved),
    `title`, `body` and `about` ({job, run, key, workspace}); a StepError's `permanent` and
    `retry_after` decide about the next try.
    """

    key: ClassVar[str]
    params: ClassVar[type[BaseModel]]
    target: ClassVar[str]


class Notifier(Protocol):
    """Puts messages into the outbox."""

    async def notify(self, notify: Notify, ctx: StepContext) -> bool:
        """Queue one notification of a step; False when it was queued already. It is sent later, on its own."""
        ...


@dataclass(frozen=True)
class Services:
    """The adapters that steps reach; `app.wiring` fills it."""

    clock: Clock
    processes: Processes
    hosts: Hosts
    secrets: SecretSource
    steps: Mapping[str, StepKind]
    sources: Mapping[str, SourceKind]
    channels: Mapping[str, ChannelKind]
    runners: Mapping[str, Runner]
    notify: Notifier
    states: SourceStates
    batches: Batches | None = None
    meter: Meter | None = None
    sessions: Sessions | None = None
    history: History | None = None
    desk: Desk | None = None
    board: Board | None = None
    # What is added to a message when it is sent: a link to answer with, which must not stand in the state.
    link: Callable[[Message], str | None] = lambda _message: None
