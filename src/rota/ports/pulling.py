"""One pull of a source, for whoever wants it: a `pull` step, a poll, the command line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rota.model.config import WorkspaceConfig
from rota.model.errors import RotaError, StepError
from rota.model.instants import from_micros
from rota.model.job import ProcessLimits
from rota.ports.processes import HostCall, OnOutput
from rota.ports.sources import Conflict, Pulled, place_of, report_of
from rota.ports.steps import SecretSource, Services, SourceKind
from rota.templates import fill_secrets_in, render, render_shell, render_value, secret_names
from rota.templates.shell import PREFIX

# How many items a consumer's place remembers at least, so that news is told from what was seen before.
_REMEMBERED = 5_000
_DIGEST = 12
_SHAPE = (
    'a source returns {"items": [...], "text": "...", "note": "...", "cursor": ..., "unchanged": false, ...}'
)


@dataclass(frozen=True)
class Asked:
    """What is pulled, and for whom.

    `name`: a kind of source or a name in rota.yaml's `sources:`. `keys`: the consumer's own keys as their author
    wrote them, which go before those there. `values`: what templates in either see. `consumer`: whose news this
    is, such as `job/step`. `workspace`: its folder. `news_only`: of a source that is as it was, nothing is wanted.
    """

    name: str
    workspace: Path
    timezone: str
    consumer: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    limits: ProcessLimits | None = None
    news_only: bool = False


async def pull(asked: Asked, services: Services, config: WorkspaceConfig, log: OnOutput) -> Pulled:
    """Resolve the source, fill in secrets, check its keys, and call it in a host.

    Its conflicts are told of; its place is not stored: that is the caller's, after it did its work
    (`Pulled.kept`). Raises StepError and TemplateError (a missing secret), which `rota source list` then shows.
    """
    try:
        return await _pull(asked, services, config, log)
    except RotaError as error:
        if error.code != "unknown_source":
            await services.states.failed(asked.name, error.message)
        raise


def kind_of(name: str, config: WorkspaceConfig, sources: Mapping[str, SourceKind]) -> SourceKind:
    """The kind of a source by its name. Raises StepError, code `unknown_source`."""
    key = str(config.sources.get(name, {}).get("type", name))
    kind = sources.get(key)
    if kind is not None:
        return kind
    known = sorted({*sources, *config.sources})
    close = get_close_matches(key, known, 1)
    what = f"source {name!r}" if key == name else f"kind of source {key!r} (of {name!r} in rota.yaml)"
    raise StepError(
        f"there is no {what}",
        code="unknown_source",
        permanent=True,
        hint=f"did you mean {close[0]}?" if close else f"there are: {', '.join(known) or 'none'}",
    )


async def _pull(asked: Asked, services: Services, config: WorkspaceConfig, log: OnOutput) -> Pulled:
    kind = kind_of(asked.name, config, services.sources)
    settings = {key: value for key, value in config.sources.get(asked.name, {}).items() if key != "type"}
    written = {**_defaults(kind, services.secrets), **settings, **asked.keys}
    # What `${NAME}` stands for is not in it, nor what templates give: else each payload would leave a place behind.
    place = place_of(asked.name, _digest([kind.key, written]), asked.consumer)
    commands, env = _commands(written, kind, asked, services)
    rest = {key: value for key, value in written.items() if key not in commands}
    rendered = render_value(rest, asked.values, fill_later=True)
    exactly = _digest(
        [rendered, commands, [env[name] for name in sorted(env) if name.startswith(PREFIX)]]
    )  # a cursor says nothing of another address that a template gave last time
    before = await services.states.get(place) or {}
    filled = _plain({**fill_secrets_in(rendered, services.secrets.get), **commands})
    _check(kind, filled)
    now = services.clock.now()
    given = {
        "config": filled,
        "workspace": str(asked.workspace),
        "now": from_micros(now).isoformat(),
        "timezone": asked.timezone,
    }
    cursor = before.get("cursor") if before.get("of") == exactly else None
    further = {"cursor": cursor, "source": asked.name, "news_only": asked.news_only}
    given |= {name: further[name] for name in getattr(kind, "wants", ())}
    call = HostCall(kind.target, given, {**asked.env, **env}, asked.workspace, limits=asked.limits)
    pulled = _pulled(await services.hosts.call(call, log), kind.key, before.get("seen", {}))
    if pulled.conflicts:
        await services.states.tell(asked.name, pulled.conflicts, config)
    state = {"cursor": pulled.cursor, "of": exactly, "seen": _seen(before.get("seen", {}), pulled.items)}
    report = {
        "pulled_at": now,
        "items": len(pulled.items),
        "new": len(pulled.new),
        "consumer": asked.consumer,
    }
    return replace(pulled, kept={place: state, report_of(asked.name): report})


def _commands(
    written: Mapping[str, Any], kind: SourceKind, asked: Asked, services: Services
) -> tuple[dict[str, Any], dict[str, str]]:
    """The keys that are commands (a kind's `shells`), and the environment that they need.

    As in a `run` step, values reach a shell beside its script, and stored secrets by name, in no command line.
    """
    commands: dict[str, Any] = {}
    env: dict[str, str] = {}
    for name in getattr(kind, "shells", ()):
        value = written.get(name)
        texts = [str(part) for part in value] if isinstance(value, list) else [str(value)]
        if isinstance(value, str):
            shell = render_shell(value, asked.values)
            commands[name] = shell.script
            env |= shell.env
        elif isinstance(value, list):
            commands[name] = [render(text, asked.values) for text in texts]
        mentioned = set(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", "\n".join(texts)))
        env |= {key: text for key, text in services.secrets.known().items() if key in mentioned}
    return commands, env


def _defaults(kind: SourceKind, secrets: SecretSource) -> dict[str, Any]:
    """The keys that a kind has unless somebody sets them; none that the source can do without and has no secret for."""
    fields = kind.params.model_fields
    return {
        name: value
        for name, value in getattr(kind, "defaults", {}).items()
        if fields[name].is_required()
        or all(secrets.get(secret) is not None for secret in secret_names(str(value)))
    }


def _check(kind: SourceKind, config: Mapping[str, Any]) -> None:
    try:
        kind.params.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]  # the input can be a secret
        key = ".".join(str(part) for part in first["loc"])
        words = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"]
        raise StepError(
            f"`pull: {kind.key}`: `{key}`: {words}" if key else f"`pull: {kind.key}`: {words}",
            code="bad_value",
            permanent=True,
            hint=f"its keys: {', '.join(f.alias or name for name, f in kind.params.model_fields.items())}",
        ) from None


def _pulled(answer: Any, key: str, seen: Mapping[str, str]) -> Pulled:
    found = answer if isinstance(answer, Mapping) else {}
    items, conflicts = _mappings(found.get("items")), _mappings(found.get("conflicts") or [])
    text, files = found.get("text", ""), found.get("files") or []
    if items is None or not isinstance(text, str) or not isinstance(files, list):
        raise _misshapen(key)
    if conflicts is None or not all("path" in c and "beside" in c for c in conflicts):
        raise _misshapen(key)
    unchanged = bool(found.get("unchanged"))
    return Pulled(
        items=items,
        text=text,
        note=str(found.get("note") or ""),
        new=[] if unchanged else [item for item in items if seen.get(_id(item)) != _version(item)],
        unchanged=unchanged,
        files=[str(path) for path in files],
        conflicts=[Conflict(str(c["path"]), str(c["beside"]), str(c.get("version", ""))) for c in conflicts],
        cursor=found.get("cursor"),
    )


def _misshapen(key: str) -> StepError:
    return StepError(
        f"source {key!r} did not return items and text", code="bad_source", permanent=True, hint=_SHAPE
    )


def _mappings(value: Any) -> list[Mapping[str, Any]] | None:
    """The list of mappings that it is; None when it is something else."""
    return value if isinstance(value, list) and all(isinstance(item, Mapping) for item in value) else None


def _seen(before: Mapping[str, str], items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What the place remembers: the version of each item, those of this pull last and never left out."""
    now = {_id(item): _version(item) for item in items}
    old = [(name, version) for name, version in before.items() if name not in now]
    room = max(0, _REMEMBERED - len(now))
    return {**dict(old[len(old) - room :] if room < len(old) else old), **now}


def _id(item: Mapping[str, Any]) -> str:
    """What an item is remembered by: sources of an older shape give no `id`, and their whole item counts."""
    return _digest(item["id"] if item.get("id") not in (None, "") else item)


def known_as(item: Mapping[str, Any]) -> tuple[str, str]:
    """By what a place remembers an item (`seen` in its state), and which version of it this is."""
    return _id(item), _version(item)


def _version(item: Mapping[str, Any]) -> str:
    return _digest(item["version"] if item.get("version") not in (None, "") else item)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]


def _plain(value: Any) -> Any:
    """JSON-able: dates become text."""
    return json.loads(json.dumps(value, default=lambda moment: moment.isoformat()))
