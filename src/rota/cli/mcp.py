"""`rota mcp`: the door for agents, over stdin and stdout."""

from __future__ import annotations

import os

import click

from rota.cli.opening import workspace


@click.command("mcp")
@click.option(
    "--agent",
    metavar="NAME",
    help="Who comes; stands with all that they do.  [default: as their client says]",
)
def mcp_command(agent: str | None) -> None:
    """Serve rota's tools to an agent, over stdin and stdout (the Model Context Protocol).

    An agent's client starts it: see docs/mcp.md for what to write into its settings.
    """
    from rota.app.logs import quiet_logging
    from rota.mcp.stdio import serve

    quiet_logging()
    with workspace(fresh=False) as app:
        serve(app, agent, os.environ)
