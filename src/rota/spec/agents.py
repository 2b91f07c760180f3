"""What a step says to an agent, and rota.yaml about all of them, as far as it is more than a kind's own keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rota.model.agent import Permissions
from rota.spec import models, values
from rota.spec.catalog import Catalog, Setting
from rota.spec.report import Place
from rota.spec.words import guess, is_templated, listing

if TYPE_CHECKING:
    from pydantic import BaseModel

_SCHEMA_HINT = "the form is JSON Schema: https://json-schema.org"


def works_by_agent(model: type[BaseModel]) -> bool:
    """Whether steps of the kind with that model are an agent's work."""
    return {"runner", "session", "permissions"} <= models.keys_of(model)


def check_agent(config: Mapping[str, Any], place: Place, setting: Setting) -> None:
    """Report what is wrong between an agent step and the workspace: its schema, the servers that it names."""
    schema = config.get("schema")
    if isinstance(schema, Mapping):
        from rota.spec.json_schemas import problem_of

        problem = problem_of(schema)
        if problem is not None:
            path, words = problem
            at = place / "schema"
            for part in path:
                at = at / part
            at.error(f"no valid JSON Schema: {words}", _SCHEMA_HINT)
    said = config.get("mcp")
    names = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    for index, name in enumerate(names):
        if not isinstance(name, str) or setting.servers is None or name in setting.servers:
            continue
        at = place / "mcp" / index if isinstance(said, list) else place / "mcp"
        there = guess(name, setting.servers) if setting.servers else None
        at.error(
            f"unknown MCP server `{name}`",
            there or "add it to rota.yaml, under `agent: mcp:`, or write it here",
        )


def check_resume(model: type[BaseModel], config: Mapping[str, Any], place: Place, catalog: Catalog) -> None:
    """Report an `on_interrupt: resume` of a step that has no conversation to go on with."""
    if not works_by_agent(model):
        kinds = [f"`{kind}`" for kind in catalog.steps if works_by_agent(catalog.steps[kind])]
        hint = f"{listing(kinds, 'and')} steps have conversations; others take retry, fail or ask"
        place.error("`resume` goes on with a conversation, and this step has none", hint)
        return
    runner = config.get("runner")
    if isinstance(runner, str) and not is_templated(runner) and runner in catalog.forgetful:
        place.error(
            f"the runner `{runner}` keeps no conversation to go on with",
            "write `ask`, `retry` or `fail`, or name another runner",
        )


def read_permissions(value: Any, place: Place) -> Permissions | None:
    """What agent steps may do that say nothing of their own."""
    from rota.spec.agent_keys import PermissionKeys

    data = values.mapping(value, place)
    if data is None:
        return None
    before = len(place.report.errors)
    models.check(PermissionKeys, data, place)
    return PermissionKeys.model_validate(data).permissions() if len(place.report.errors) == before else None


def read_servers(value: Any, place: Place) -> dict[str, Mapping[str, Any]] | None:
    """MCP servers by name."""
    from rota.spec.agent_keys import ServerKeys, has_template

    found: dict[str, Mapping[str, Any]] = {}
    for name, about in (values.mapping(value, place) or {}).items():
        data = values.mapping(about, place / name)
        if data is None:
            continue
        models.check(ServerKeys, data, place / name, secret=True)
        if has_template(data):
            (place / name).error("rota.yaml has no templates", "write `${NAME}` for a secret")
        found[name] = data
    return found
