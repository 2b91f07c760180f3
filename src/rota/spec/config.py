"""The workspace's settings: .rota/rota.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rota.model.agent import NOTHING
from rota.model.card import NAME_LIMIT
from rota.model.config import AgentConfig, BoardConfig, IndexConfig, Limits, WorkspaceConfig
from rota.model.errors import SpecError
from rota.spec import models, values
from rota.spec.agents import read_permissions, read_servers
from rota.spec.agents_policy import read_agents
from rota.spec.budgets import budget
from rota.spec.catalog import Catalog, Setting
from rota.spec.document import Document
from rota.spec.notify import read_notify
from rota.spec.reader import read
from rota.spec.report import Fields, Place
from rota.spec.steps import check_runner
from rota.spec.web import read_web
from rota.spec.words import guess

CONFIG_KEYS = (
    *("name", "timezone", "limits", "groups", "scripts", "env_allow", "env"),
    *("channels", "notify", "sources", "agent", "agents", "budget", "index", "board", "web"),
    *("shutdown_grace", "max_failures"),
)
AGENT_KEYS = ("runner", "command", "model", "system", "mcp", "permissions")
BOARD_KEYS = ("columns",)
INDEX_KEYS = ("include", "exclude", "max_file", "watch", "embeddings")
SIZES = ("output", "excerpt", "value", "logs", "state", "daemon_log")
LIMIT_KEYS = ("runs", *SIZES, "keep_runs", "keep_days", "keep_ledger_days")
MOST_COLUMNS = 20
_DAY = 86_400.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?")


@dataclass(frozen=True)
class ConfigResult:
    """`config` None: something is wrong, see `errors`."""

    config: WorkspaceConfig | None
    errors: tuple[SpecError, ...]
    warnings: tuple[str, ...]


def parse_config(text: str, path: str, catalog: Catalog) -> ConfigResult:
    """Read rota.yaml. An empty file is the default configuration. Nothing is raised."""
    document = Document(data={}) if _is_empty(text) else read(text, path)
    report = document.report(path)
    place = Place(report)
    config = None
    if not document.fatal:
        data = values.mapping(document.data, place)
        config = None if data is None else _config(Fields(data, place), catalog)
    errors = tuple(sorted(report.errors, key=lambda error: error.line or 0))
    return ConfigResult(None if errors else config, errors, tuple(report.warnings))


def _is_empty(text: str) -> bool:
    lines = text.removeprefix("\ufeff").splitlines()
    return all(not line.strip() or line.lstrip().startswith("#") for line in lines)


def _config(fields: Fields, catalog: Catalog) -> WorkspaceConfig:
    place, default = fields.place, WorkspaceConfig()
    channels = _kinds(fields, "channels", catalog.channels, complete=True)
    sources = _kinds(fields, "sources", catalog.sources, complete=False)
    setting = Setting.of(catalog, channels, sources, default.timezone)
    found = WorkspaceConfig(
        name=fields.read("name", values.any_text, default.name),
        timezone=fields.read("timezone", values.timezone, default.timezone),
        limits=fields.read("limits", _limits, default.limits),
        groups=fields.read("groups", _groups, {}),
        script_folders=fields.read("scripts", _scripts, default.script_folders),
        env_allow=fields.read("env_allow", _env_allow, ()),
        env=fields.read("env", values.env, {}),
        channels=channels,
        notify=read_notify(fields.take("notify"), place / "notify", setting),
        sources=sources,
        agent=fields.read("agent", lambda value, at: _agent(value, at, catalog), default.agent),
        budget=fields.read("budget", budget, default.budget),
        agents=fields.read("agents", read_agents, default.agents),
        index=fields.read("index", _index, default.index),
        board=fields.read("board", _board, default.board),
        web=fields.read("web", read_web, default.web),
        shutdown_grace=fields.read("shutdown_grace", values.duration_or_none, default.shutdown_grace),
        max_failures=fields.read("max_failures", values.whole(0), default.max_failures),
    )
    fields.refuse_rest(CONFIG_KEYS)
    return found


def _limits(value: Any, place: Place) -> Limits | None:
    data = values.mapping(value, place)
    if data is None:
        return None
    fields, found = Fields(data, place), Limits()
    sizes = {key: size for key in SIZES if (size := fields.maybe(key, values.size)) is not None}
    found = replace(
        found,
        runs=fields.read("runs", values.whole(1, 10_000), found.runs),
        keep_runs=fields.read("keep_runs", values.whole(1), found.keep_runs),
        keep_days=fields.read("keep_days", _days, found.keep_days),
        keep_ledger_days=fields.read("keep_ledger_days", _days, found.keep_ledger_days),
        **sizes,
    )
    fields.refuse_rest(LIMIT_KEYS)
    return found


def _days(value: Any, place: Place) -> float | None:
    """A number of days, or a duration."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value > 0:
            return float(value)
        values.expected(place, "a number of days above 0", value)
        return None
    seconds = values.duration(value, place)
    return None if seconds is None else seconds / _DAY


def _groups(value: Any, place: Place) -> dict[str, int] | None:
    data = values.mapping(value, place)
    limits = {name: values.whole(1)(limit, place / name) for name, limit in (data or {}).items()}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _scripts(value: Any, place: Place) -> tuple[str, ...] | None:
    data = values.mapping(value, place)
    if data is None:
        return None
    fields = Fields(data, place)
    folders = fields.maybe("folders", values.texts)
    fields.refuse_rest(("folders",))
    return folders


def _env_allow(value: Any, place: Place) -> tuple[str, ...] | None:
    names = values.texts(value, place)
    for name in names or ():
        if not _PATTERN.fullmatch(name):
            place.error(f"`{name}` is no name of an environment variable", "write `NAME`, or `PREFIX_*`")
    return names


def _kinds(
    fields: Fields, key: str, known: Mapping[str, Any], *, complete: bool
) -> dict[str, Mapping[str, Any]]:
    """The named channels or sources; `type:` says the kind where it is not the name."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, about in (fields.maybe(key, values.mapping) or {}).items():
        place = fields.place / key / name
        if not _NAME.fullmatch(name):
            place.error(f"`{name}` is no name", "use letters, digits, _ and -")
        config = values.mapping({} if about is None else about, place)
        if config is None:
            continue
        found[name] = config
        kind = config.get("type", name)
        if not isinstance(kind, str) or kind not in known:
            at = place / "type" if "type" in config else place
            at.error(f"unknown kind `{kind}`", guess(str(kind), known))
            continue
        own = {key: value for key, value in config.items() if key != "type"}
        models.check(known[kind], own, place, known=("type",), complete=complete, secret=True)
    return found


def _agent(value: Any, place: Place, catalog: Catalog) -> AgentConfig | None:
    data = values.mapping(value, place)
    if data is None:
        return None
    fields = Fields(data, place)
    runner = fields.read("runner", values.text, AgentConfig().runner)
    check_runner(runner, place / "runner", catalog)
    found = AgentConfig(
        runner=runner,
        command=fields.read("command", _command, ()),
        model=fields.maybe("model", values.any_text),
        system=fields.maybe("system", _inside),
        mcp=fields.read("mcp", read_servers, {}),
        permissions=fields.read("permissions", read_permissions, NOTHING),
        settings=_runner_settings(fields, catalog),
    )
    fields.refuse_rest((*AGENT_KEYS, *runners_with_keys(catalog)))
    if runner == "command" and "command" not in data:
        place.error("`command` is missing", "such as `command: claude -p`; the prompt comes on its stdin")
    return found


def _inside(value: Any, place: Place) -> str | None:
    """The path of a file in the workspace."""
    path = values.text(value, place)
    if path is not None and (path.startswith(("/", "~")) or ".." in path.split("/") or "\n" in path):
        place.error("expected the path of a file in the workspace", "such as `system: .rota/persona.md`")
        return None
    return path


def _runner_settings(fields: Fields, catalog: Catalog) -> dict[str, Mapping[str, Any]]:
    """What is set for single runners: `agent: {claude: {...}}`."""
    found: dict[str, Mapping[str, Any]] = {}
    for key in runners_with_keys(catalog) if fields.rest.keys() - set(AGENT_KEYS) else ():
        own = fields.maybe(key, values.mapping)
        if own is not None:
            models.check(catalog.runners[key], own, fields.place / key, secret=True)
            found[key] = own
    return found


def runners_with_keys(catalog: Catalog) -> list[str]:
    """Runners with settings of their own; `command:` is the command itself."""
    return [key for key in catalog.runners if key not in AGENT_KEYS and models.keys_of(catalog.runners[key])]


def _index(value: Any, place: Place) -> IndexConfig | None:
    data = values.mapping(value, place)
    if data is None:
        return None
    fields, default = Fields(data, place), IndexConfig()
    found = IndexConfig(
        include=fields.read("include", _patterns, ()),
        exclude=fields.read("exclude", _patterns, ()),
        max_file=fields.read("max_file", values.size, default.max_file),
        watch=fields.read("watch", values.boolean, default.watch),
        embeddings=fields.maybe("embeddings", values.text),
    )
    fields.refuse_rest(INDEX_KEYS)
    return found


def _board(value: Any, place: Place) -> BoardConfig | None:
    data = values.mapping(value, place)
    if data is None:
        return None
    fields = Fields(data, place)
    columns = fields.read("columns", _columns, BoardConfig().columns)
    fields.refuse_rest(BOARD_KEYS)
    return BoardConfig(columns)


def _columns(value: Any, place: Place) -> tuple[str, ...] | None:
    found = values.texts(value, place)
    if found is None:
        return None
    names = tuple(" ".join(name.split()) for name in found)
    if not 1 <= len(names) <= MOST_COLUMNS:
        values.expected(place, f"1 to {MOST_COLUMNS} columns", value)
        return None
    for number, name in enumerate(names):
        at = place / number if isinstance(value, list) else place
        if len(name) > NAME_LIMIT:
            at.error(f"`{name[:20]}...` is too long", f"a column's name has at most {NAME_LIMIT} characters")
        elif name.casefold() in {other.casefold() for other in names[:number]}:
            at.error(f"there is another column `{name}`", "give each column a name of its own")
    return names


def _patterns(value: Any, place: Place) -> tuple[str, ...] | None:
    from pathspec import GitIgnoreSpec

    found = values.texts(value, place)
    for number, pattern in enumerate(found or ()):
        try:
            GitIgnoreSpec.from_lines([pattern])
        except ValueError:
            at = place / number if isinstance(value, list) else place
            at.error(f"`{pattern}` is no pattern", "write it as in .gitignore: drafts/, *.csv, !now/")
    return found


def _command(value: Any, place: Place) -> tuple[str, ...] | None:
    if not isinstance(value, str):
        return values.texts(value, place)
    import shlex

    try:
        words = tuple(shlex.split(value))
    except ValueError as error:
        place.error(f"cannot be split into words: {str(error).lower()}", "write it as a list: [claude, -p]")
        return None
    if not words:
        values.expected(place, "a command", value)
    return words or None
