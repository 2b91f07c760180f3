"""A workspace's settings, as .rota/rota.yaml gives them. Durations are seconds, sizes bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rota.model.agent import NOTHING, Permissions
from rota.model.budget import NO_BUDGET, Budget
from rota.model.card import COLUMNS
from rota.model.job import Notify
from rota.model.proposal import Rule

# What a child gets of the daemon's environment; everything else is left out (a clean environment).
ENV_ALLOWED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ",
    "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY",
)  # fmt: skip


@dataclass(frozen=True)
class AgentConfig:
    """`runner`: auto, or one by name. `command`: argv of the command runner (prompt on stdin).

    `settings`: of each runner, by its key, as they are written (secrets unresolved). `system`: a file in the workspace
    that every agent step has as its system prompt. `mcp`: servers by name. `permissions`: what agent steps may do that
    say nothing of their own.
    """

    runner: str = "auto"
    command: tuple[str, ...] = ()
    model: str | None = None
    system: str | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mcp: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    permissions: Permissions = NOTHING


@dataclass(frozen=True)
class AgentsPolicy:
    """What agents may do by rota's own tools. `pause`: pausing and resuming; jobs that agents made they may always pause.

    `max_jobs`: jobs made by agents that there may be; `max_per_day`: how much agents may do, or propose, in 24 hours.
    `budget`: the caps that a job of theirs has at least, as `budget:` of a job.
    """

    create: Rule = Rule.PROPOSE
    change: Rule = Rule.PROPOSE
    remove: Rule = Rule.PROPOSE
    pause: Rule = Rule.PROPOSE
    run: Rule = Rule.ALLOW
    max_jobs: int = 20
    max_per_day: int = 50
    budget: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """Caps. `output`: bytes of a step's log kept on disk; `excerpt`: bytes of it kept in the state.

    `logs`: bytes that the logs of one job's runs may hold together; `state`: bytes of the database in use.
    """

    runs: int = 100
    output: int = 10_000_000
    excerpt: int = 8_000
    value: int = 256_000
    logs: int = 200_000_000
    state: int = 2_000_000_000
    daemon_log: int = 5_000_000
    keep_runs: int = 100
    keep_days: float = 90.0
    keep_ledger_days: float = 400.0


@dataclass(frozen=True)
class IndexConfig:
    """What `rota search` finds. `include`, `exclude`: patterns as in .gitignore; `max_file`: bytes.

    `watch`: the daemon keeps an index that is there up to date. `embeddings`: the folder of a model.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_file: int = 2_000_000
    watch: bool = True
    embeddings: str | None = None


@dataclass(frozen=True)
class BoardConfig:
    """The board's columns, from left to right; new cards come into the first."""

    columns: tuple[str, ...] = COLUMNS


@dataclass(frozen=True)
class WebConfig:
    """The HTTP door. `socket`: a Unix socket instead of host and port, relative to the workspace.

    `hosts`: names that requests may be for besides this machine's (`*`: any). `body`: bytes of a request's body;
    `patience`: seconds that a client has for its headers, and again for its body. `connections`: at once.
    `forwarded`: a reverse proxy in front says who the client is. `url`: where others reach the door, as links in
    messages say it, without a slash at its end.
    """

    on: bool = True
    host: str = "127.0.0.1"
    port: int = 8765
    socket: str | None = None
    hosts: tuple[str, ...] = ()
    body: int = 1_048_576
    patience: float = 10.0
    connections: int = 500
    forwarded: bool = False
    url: str | None = None


@dataclass(frozen=True)
class WorkspaceConfig:
    """Everything of rota.yaml. `env_allow`: names (or `PREFIX_*`) passed on besides ENV_ALLOWED and LC_*.

    `script_folders`: where `script:` may point. `notify`: where messages go that name no channel.
    `groups`: limits of concurrency groups, over what jobs say. `root`: the workspace's folder, absolute; empty for
    settings of no workspace.
    """

    name: str = ""
    timezone: str = "UTC"
    limits: Limits = Limits()
    groups: Mapping[str, int] = field(default_factory=dict)
    script_folders: tuple[str, ...] = ("scripts", ".rota/scripts")
    env_allow: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notify: tuple[Notify, ...] = ()
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    agent: AgentConfig = AgentConfig()
    budget: Budget = NO_BUDGET
    agents: AgentsPolicy = AgentsPolicy()
    index: IndexConfig = IndexConfig()
    board: BoardConfig = BoardConfig()
    web: WebConfig = WebConfig()
    shutdown_grace: float = 10.0
    max_failures: int = 0
    root: str = ""
