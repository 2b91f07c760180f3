"""`rota mcp`: one client, at stdin and stdout."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from rota.app.desk import LocalDesk
from rota.app.wiring import App
from rota.mcp.server import make_server, require_library
from rota.model.agent import Actor

UNKNOWN = "an agent"


def serve(app: App, agent: str | None, environment: Mapping[str, str]) -> None:
    """Serve until the client closes its end. `environment`: says in which run of rota's the client was started.

    Raises RotaError where the library is not installed.
    """
    require_library()
    asyncio.run(_serve(app, agent, environment))


async def _serve(app: App, agent: str | None, environment: Mapping[str, str]) -> None:
    from mcp.server.stdio import stdio_server

    actor = Actor(
        agent or UNKNOWN,
        run=environment.get("ROTA_RUN_ID"),
        job=environment.get("ROTA_JOB"),
        step=environment.get("ROTA_STEP"),
    )
    server = make_server(LocalDesk(app), actor, named=agent is not None)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
