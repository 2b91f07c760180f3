"""Commands that an agent types in a run of rota's: they go the way that its other tools go, policy and record included."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rota.app.wiring import App


def done_at_the_desk(app: App, tool: str, **arguments: Any) -> bool:
    """Whether it was an agent, whose wish the tool has taken; what that says is printed. Raises RotaError."""
    if "ROTA_RUN_ID" not in os.environ:
        return False
    from rota.app.acting import as_agent

    said = as_agent(app, os.environ, tool, arguments)
    if said is not None:
        click.echo(said)
    return said is not None


def refuse_agents(app: App) -> None:
    """Raise RotaError where an agent types what people decide."""
    if "ROTA_RUN_ID" in os.environ:
        from rota.app import acting

        acting.refuse_agents(app, os.environ)
