"""Agents: what a runner is asked and answers, who pays, what conversations are kept, rota's own tools for agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from rota.model.agent import (
    NO_TOKENS,
    NOTHING,
    Actor,
    AgentSession,
    Caps,
    Denial,
    Outcome,
    Permissions,
    Response,
    Usage,
)
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros

if TYPE_CHECKING:
    from pydantic import BaseModel

    from rota.ports.steps import StepContext, Waiting


class Account(Protocol):
    """The money of one try of an agent step: what it may still take, and what it took."""

    @property
    def caps(self) -> Caps:
        """What is left to this try of all the budgets that it is under; for clients that can keep a cap themselves."""
        ...

    async def paid(self, response: Response) -> str | None:
        """Record a response, at once and once; the words of the budget that is used up by now, if one is.

        After such words nothing more may be asked of a model.
        """
        ...

    async def close(self) -> None:
        """Give back what was reserved and not used."""
        ...


class Meter(Protocol):
    """Opens accounts. What counts is kept by (run, step, response key), so a response told twice counts once."""

    async def open(self, ctx: StepContext, *, runner: str, model: str | None, caps: Caps) -> Account:
        """`caps`: the step's own budget. Raises StepError (code `budget`, permanent) where a budget has nothing left."""
        ...


class Sessions(Protocol):
    """The conversations of the workspace."""

    async def get(self, key: str) -> AgentSession | None:
        """None when there is none."""
        ...

    async def put(self, session: AgentSession) -> None:
        """Insert or replace by key, on disk when it returns."""
        ...

    async def drop(self, key: str) -> None:
        """Forget one; nothing to do when there is none."""
        ...


@dataclass(frozen=True)
class PastResult:
    """What a run of a job came to: when it ended, and the output of the last step that had any."""

    run_id: str
    at: Micros
    output: str


class History(Protocol):
    """What jobs put out before."""

    async def results(self, job_id: str, last: int, *, but: str = "") -> Sequence[PastResult] | None:
        """Of the last runs that succeeded, oldest first, without the run `but`; None when there is no such job."""
        ...


@dataclass(frozen=True)
class DeskTool:
    """A tool of rota for agents. `parameters`: a JSON Schema of an object. `looks`: it changes nothing."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    looks: bool


class Desk(Protocol):
    """Rota's own tools for agents, the same whether they come by MCP or from a builtin agent."""

    def tools(self) -> Sequence[DeskTool]:
        """All of them."""
        ...

    async def use(self, tool: str, arguments: Mapping[str, Any], actor: Actor) -> str:
        """Use one; what the agent reads. Raises RotaError in words for the agent: code `denied` by policy."""
        ...


@dataclass(frozen=True)
class AgentRequest:
    """What an agent step asks of a runner.

    `system`: text. `session`: the conversation to go on with (None, or one without an id: a new one); its key is that
    of the step at work, as `model.agent.run_key` gives it. `session_id`: the id of a new one, where the client lets it
    be chosen; the state knows it when the runner has put it there. `tools`: names of the tools it may have (None: the
    runner's usual ones). `mcp`: servers by name: `{command, args, env}` or `{url, headers}`, secrets filled in.
    `schema`: a JSON Schema that the answer has to fit.
    `account`: each response is told to it as it comes. `model` is None where the runner has a default of its own.
    """

    prompt: str
    model: str | None = None
    account: Account | None = None
    system: str | None = None
    session: AgentSession | None = None
    session_id: str = ""
    tools: tuple[str, ...] | None = None
    mcp: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    permissions: Permissions = NOTHING


@dataclass(frozen=True)
class AgentResult:
    """What came of it. `detail`: why it did not end well, in a line; `code`: a reason's code finer than the outcome's.

    `structured`: the answer as a JSON-able value, where a schema was given. `session`: what can be gone on with.
    `retry`: whether trying again can help; `retry_after`: seconds, if the provider said.
    """

    outcome: Outcome
    text: str = ""
    structured: Any = None
    session: AgentSession | None = None
    usage: Usage = NO_TOKENS
    model: str | None = None
    client_usd: float | None = None
    turns: int = 0
    tool_calls: int = 0
    denied: tuple[Denial, ...] = ()
    detail: str = ""
    code: str | None = None
    retry: bool = True
    retry_after: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class RunnerState:
    """What is known of a runner without asking a model. `where`: its program or package; `missing`: what it lacks, and how to mend it."""

    found: bool
    version: str | None = None
    where: str | None = None
    model: str | None = None
    key: bool | None = None
    missing: str | None = None


class Runner(Protocol):
    """What executes an agent step. Tells `request.account` of each response, and stops when that says so.

    `params`: the keys of its settings, `agent: KEY:` in rota.yaml (`config.agent.settings[KEY]`, unrendered). Three
    more are there where they say something: `continues` (False, or a function of the config), where conversations are
    not kept; `lacks(ctx: StepContext) -> str | None`, what is missing in one step's environment, in words; `aliases`, names
    for which the client itself chooses a model, so that only a response tells which one has to be paid for.
    """

    key: ClassVar[str]
    params: ClassVar[type[BaseModel]]

    def configured(self, config: WorkspaceConfig) -> bool:
        """Whether it could run in this workspace now: cheap, and no process is started."""
        ...

    async def state(self, ctx: RunnerContext) -> RunnerState:
        """What `rota agents` shows; may start the client to ask for its version."""
        ...

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult | Waiting:
        """Have the prompt worked on. A raised RotaError is a failure in its words; on cancellation nothing is left."""
        ...


@dataclass(frozen=True)
class RunnerContext:
    """What a runner may look at to tell its state."""

    config: WorkspaceConfig
    environment: Mapping[str, str]
    secrets: frozenset[str]


def can_continue(runner: Runner, config: WorkspaceConfig) -> bool:
    """Whether a conversation with that runner can be gone on with in a workspace."""
    said = getattr(runner, "continues", True)
    return bool(said(config) if callable(said) else said)


def success_of(runner: str) -> str:
    """The name of the cursor that says when a runner last had an answer: {at, job, run, model}."""
    return f"agent:{runner}"
