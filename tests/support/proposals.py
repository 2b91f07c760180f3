"""What an agent wants of a workspace, said without a client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rota.app.desk import LocalDesk
from rota.app.wiring import open_app
from rota.model.agent import Actor

CLAUDE = Actor("claude")


def use(root: Path, tool: str, actor: Actor = CLAUDE, **arguments: Any) -> str:
    """Use one of rota's tools for agents."""
    app = open_app(root)
    try:
        return LocalDesk(app).use_now(tool, arguments, actor)
    finally:
        app.close()


def wish_for_a_job(root: Path, job_id: str) -> str:
    """Propose a job that nothing starts by itself; the proposal's id."""
    return use(root, "job_create", id=job_id, run="echo wished for").split(":")[0].rpartition(" ")[2]
