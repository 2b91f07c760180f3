"""Agents: which runners there are, and which one a step gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import iso, note, print_json, print_table

if TYPE_CHECKING:
    from rota.app.agents import AgentView, Survey


@click.command("agents")
@json_option
def agents_command(as_json: bool) -> None:
    """List the agent runners: what is there, what is missing, which one `auto` takes. No model is asked."""
    from rota.app.agents import survey
    from rota.app.times import ago

    with workspace() as app:
        found, now = survey(app), app.clock.now()
    if as_json:
        print_json(_as_json(found))
        return
    rows = [
        [
            view.key,
            "ready" if view.ready else "not set up",
            view.state.version or "-",
            view.model or "-",
            {True: "yes", False: "no", None: "-"}[view.state.key],
            "never" if view.success is None else _success(view, ago(view.success.at, now)),
        ]
        for view in found.runners
    ]
    headers = ["RUNNER", "STATE", "VERSION", "MODEL", "KEY", "LAST SUCCESS"]
    print_table(headers, rows, flexible=(3,))
    for view in found.runners:
        if not view.ready:
            click.echo(f"{view.key}: {view.lacks}")
    note(f"`runner: auto` takes {found.takes or 'none'}: {found.why}.")
    note("hint: `rota doctor --probe-agents` asks each that is ready for one word, which costs a little")


def _success(view: AgentView, when: str) -> str:
    job = view.success.job if view.success is not None else None
    return f"{when} ({job or 'a probe'})"


def _as_json(found: Survey) -> dict[str, Any]:
    return {
        "auto": found.takes,
        "why": found.why,
        "runners": [
            {
                "name": view.key,
                "ready": view.ready,
                "missing": view.lacks or None,
                "found": view.state.found,
                "where": view.state.where,
                "version": view.state.version,
                "model": view.model,
                "key": view.state.key,
                "last_success": None
                if view.success is None
                else {
                    "at": iso(view.success.at),
                    "job": view.success.job,
                    "run": view.success.run,
                    "model": view.success.model,
                },
            }
            for view in found.runners
        ],
    }
