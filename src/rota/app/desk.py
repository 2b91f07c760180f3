"""The desk: rota's own tools for agents, the same by MCP as for a builtin agent. Nothing heavy is imported before it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from rota.app.desk_tools import Tool
from rota.app.desk_words import checked
from rota.app.wiring import App
from rota.model.agent import Actor, run_key
from rota.model.errors import NotFoundError, RotaError
from rota.ports.agents import DeskTool
from rota.ports.processes import HostCall, Hosts

NOUNS = ("jobs", "runs", "files", "cards", "people")
LONGEST = 40_000  # characters of an answer
_TARGET = "rota.app.desk:use_in_host"


def all_tools() -> dict[str, Tool]:
    """Every tool by name."""
    modules = [import_module(f"rota.app.desk_{noun}") for noun in NOUNS]
    return {tool.name: tool for module in modules for tool in module.TOOLS}


class LocalDesk:
    """ports.agents.Desk in this process. `judged`: whoever asks has looked at the step's permissions."""

    def __init__(self, app: App, *, judged: bool = False) -> None:
        self._app = app
        self._judged = judged

    @cached_property
    def _tools(self) -> dict[str, Tool]:
        return all_tools()

    def tools(self) -> Sequence[DeskTool]:
        """All of them."""
        return [tool.described() for tool in self._tools.values()]

    async def use(self, tool: str, arguments: Mapping[str, Any], actor: Actor) -> str:
        """Use one, in a thread."""
        return await asyncio.to_thread(self.use_now, tool, arguments, actor)

    def use_now(self, tool: str, arguments: Mapping[str, Any], actor: Actor) -> str:
        """Use one, blocking. What comes back, an error's words too, has no secret in it."""
        from rota.app.settings import settings_in_force
        from rota.app.stamps import is_current
        from rota.app.sync import sync
        from rota.engine.output import Masker

        found = self._tools.get(tool)
        if found is None:
            import difflib

            close = difflib.get_close_matches(tool, self._tools, 1)
            hint = f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(self._tools)}"
            raise NotFoundError(f"rota has no tool `{tool}`", hint=hint)
        masker = Masker(self._app.secrets.known())
        try:
            given = checked(tool, found.parameters, arguments)
            # A client stays for hours, and what the policy says now is what counts.
            self._app.use(settings_in_force(self._app))
            if not is_current(self._app):
                sync(self._app)
            who = _known(self._app, actor)
            if not self._judged and not in_step(self._app, who, found):
                raise RotaError(  # noqa: TRY301 # told as the others are
                    f"the step that you work for may not use `{tool}`",
                    hint="its `permissions: {rota: [...]}` say which tools it may",
                    code="denied",
                )
            said = found.use(self._app, given, who)
        except RotaError as error:
            error.message = masker.mask_text(error.message)
            error.args = (error.message,)
            raise
        said = masker.mask_text(said)
        return (
            said if len(said) <= LONGEST else f"{said[:LONGEST]}\n[cut here: {len(said):,} characters in all]"
        )


def _known(app: App, actor: Actor) -> Actor:
    """The actor, with the job of its run as the state has it: what it says of itself is only a hint."""
    run = None if actor.run is None else app.store.read(lambda tx: tx.runs.get(actor.run or ""))
    if run is None:
        return replace(actor, run=None, job=None, step=None)
    return replace(actor, job=run.job_id)


def in_step(app: App, actor: Actor, tool: Tool) -> bool:
    """Whether the step of the run that the agent works in may use a tool, by its permissions and what a person granted."""
    run_id, step_id = actor.run, actor.step or ""
    if run_id is None:
        return True
    from rota.model.agent_policy import allows_tool
    from rota.spec import from_json
    from rota.spec.agent_keys import PermissionKeys

    run = app.store.read(lambda tx: tx.runs.get(run_id))
    text = None if run is None else app.store.read(lambda tx: tx.jobs.definition(run.definition))
    steps = () if text is None else from_json(text).steps
    own = next((one.config.get("permissions") for one in steps if one.id == step_id), None)
    allowed = (
        app.config.agent.permissions if own is None else PermissionKeys.model_validate(own).permissions()
    )
    session = app.store.read(lambda tx: tx.sessions.get(run_key(run_id, step_id)))
    grants = () if session is None else session.grants
    return allows_tool(allowed, tool.name, looks=tool.looks, grants=grants)


class HostedDesk:
    """ports.agents.Desk of the daemon: the tools work in a host, so that the daemon is neither held up nor grows."""

    def __init__(self, hosts: Hosts, workspace: Path) -> None:
        self._hosts = hosts
        self._workspace = workspace

    def tools(self) -> Sequence[DeskTool]:
        """All of them."""
        return [tool.described() for tool in all_tools().values()]

    async def use(self, tool: str, arguments: Mapping[str, Any], actor: Actor) -> str:
        """Use one."""
        kwargs = {
            "workspace": str(self._workspace),
            "tool": tool,
            "arguments": dict(arguments),
            "actor": dict(vars(actor)),
        }
        said = await self._hosts.call(HostCall(_TARGET, kwargs), lambda _stream, _data: None)
        return str(said)


def use_in_host(*, workspace: str, tool: str, arguments: Mapping[str, Any], actor: Mapping[str, Any]) -> str:
    """What a host calls for HostedDesk."""
    from rota.app.wiring import open_app

    app = open_app(Path(workspace))
    try:
        return LocalDesk(app, judged=True).use_now(tool, arguments, Actor(**actor))
    finally:
        app.close()
