"""The desk's tools for runs: which there were, what became of one, what it printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rota.app.desk_tools import looks
from rota.app.desk_words import JOB, RUN, at, count, say, takes, text
from rota.model.agent import Actor

if TYPE_CHECKING:
    from rota.app.wiring import App
    from rota.model.run import Run

Given = Mapping[str, Any]
_EXCERPT = 2_000
LONGEST_LOG = 16_000


def _list(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.queries import history
    from rota.model.run import RunState

    limit = int(given["limit"])
    states = [RunState(str(given["state"]))] if "state" in given else None
    if "job" in given:
        history(app, str(given["job"]), 1)  # its words, where there is no such job
    job = str(given["job"]) if "job" in given else None
    runs = app.store.read(lambda tx: tx.runs.recent(job_id=job, states=states, limit=limit))
    return say([_brief(app, run) for run in runs]) if runs else "There are no such runs."


def _brief(app: App, run: Run) -> dict[str, Any]:
    zone = app.config.timezone
    return {
        "id": run.id,
        "job": run.job_id,
        "state": run.state.value,
        "reason": run.reason.text[:300],
        "queued": at(run.queued_at, zone),
        "finished": at(run.finished_at, zone),
    }


def _show(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.queries import run_view

    view = run_view(app, str(given["run"]))
    zone = app.config.timezone
    return say(
        {
            **_brief(app, view.run),
            "started": at(view.run.started_at, zone),
            "trigger": view.run.trigger_id,
            "inputs": view.run.inputs,
            "steps": [
                {
                    "id": step.step_id,
                    "state": step.state.value,
                    "reason": None if step.reason is None else step.reason.text[:500],
                    "attempts": step.attempts if step.attempts > 1 else None,
                    "output": step.output[:_EXCERPT] + ("..." if len(step.output) > _EXCERPT else ""),
                }
                for step in view.steps
            ],
            "questions": [q.question[:_EXCERPT] for q in view.questions if q.state.value == "open"],
        }
    )


def _logs(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.logs_of_runs import read_logs

    parts = []
    for piece in read_logs(app, str(given["run"])):
        if piece.attempt is not None:
            wanted = given.get("step") in {None, piece.attempt.step_id}
            again = f" (attempt {piece.attempt.number})" if piece.attempt.number > 1 else ""
            parts += [f"\n── {piece.attempt.step_id}{again}\n"] if wanted else []
        elif wanted:
            parts.append(piece.text)
    whole = "".join(parts).strip()
    most = int(given["most"])
    cut = f"[the first {len(whole) - most:,} characters are left out]\n" if len(whole) > most else ""
    return cut + whole[-most:] if whole else "It printed nothing."


TOOLS = (
    looks(
        "run_list",
        "List runs, the latest first, of one job or of all.",
        takes(
            job=JOB,
            state=text("Only those in this state.", enum=[
                "queued", "running", "waiting", "succeeded", "failed", "cancelled", "interrupted"
            ]),
            limit=count("How many.", 20, 200),
        ),
        _list,
    ),
    looks("run_show", "Show one run: its state and why, each step with its output.", takes("run", run=RUN), _show),
    looks(
        "run_logs",
        "What a run printed, step by step; the end of it where it is long.",
        takes(
            "run", run=RUN, step=text("Only this step."), most=count("How many characters.", 8_000, LONGEST_LOG)
        ),
        _logs,
    ),
)  # fmt: skip
