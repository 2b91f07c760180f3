"""Who types a command: a person or a program of theirs, or the agent that works on a step of rota's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rota.app.wiring import App
from rota.model.agent import Actor
from rota.model.errors import RotaError

_AGENTS = {"agent", "skill"}


def acting_agent(app: App, environment: Mapping[str, str]) -> Actor | None:
    """The agent whose step of a run started this process; None for anybody else."""
    run_id, step_id = environment.get("ROTA_RUN_ID"), environment.get("ROTA_STEP")
    run = None if not run_id else app.store.read(lambda tx: tx.runs.get(run_id))
    text = None if run is None else app.store.read(lambda tx: tx.jobs.definition(run.definition))
    if run is None or text is None or run.final:
        return None
    from rota.spec import from_json

    step = next((one for one in from_json(text).steps if one.id == step_id), None)
    if step is None or step.kind not in _AGENTS:
        return None
    return Actor(str(step.config.get("runner") or "agent"), run.id, run.job_id, step.id)


def as_agent(app: App, environment: Mapping[str, str], tool: str, arguments: Mapping[str, Any]) -> str | None:
    """What the desk's tool says, where an agent types; None where nobody has to be asked. Raises RotaError."""
    actor = acting_agent(app, environment)
    if actor is None:
        return None
    from rota.app.desk import LocalDesk

    given = {name: value for name, value in arguments.items() if value not in (None, {}, "")}
    return LocalDesk(app).use_now(tool, given, actor)


def refuse_agents(app: App, environment: Mapping[str, str]) -> None:
    """Raise RotaError where an agent types what people decide."""
    if acting_agent(app, environment) is not None:
        raise RotaError(
            "an agent cannot decide about this: people do",
            hint="go on with your work, or end it and say what you wait for",
            code="denied",
        )
