"""The ledger in words: why, due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from rota.cli.opening import job_argument, json_option, workspace
from rota.cli.output import iso, note, print_json, print_table

if TYPE_CHECKING:
    from rota.app.queries import DueView


@click.command("why")
@job_argument
@click.option(
    "--at", metavar="TIME", help='About one moment: "2026-11-21T08:00", "08:00", "yesterday 08:00".'
)
@click.option("--limit", "-n", default=10, show_default=True, help="How many occurrences.")
@json_option
def why_command(job: str, at: str | None, limit: int, as_json: bool) -> None:
    """Explain what was due, what happened, why, and what happens next."""
    from rota.app.why import moment_of, why

    with workspace() as app:
        moment = moment_of(app, job, at) if at else None
        view = why(app, job, at=moment, limit=limit)
        zone = view.timezone
        if not as_json:
            for line in view.words:
                click.echo(line)
            return
        print_json(
            {
                "job": view.job,
                "status": view.status,
                "occurrences": [
                    {
                        "key": o.key,
                        "trigger": o.trigger_id,
                        "due_at": iso(o.due_at, zone),
                        "until": iso(o.until, zone),
                        "count": o.count,
                        "noticed_at": iso(o.noticed_at, zone),
                        "outcome": o.outcome.value,
                        "reason": {"code": o.reason.code, "text": o.reason.text},
                        "run": o.run_id,
                        "run_state": view.runs[o.run_id].state.value
                        if o.run_id and o.run_id in view.runs
                        else None,
                    }
                    for o in view.occurrences
                ],
                "next": iso(view.next_due, zone),
                "notes": [{"code": note.code, "text": note.text} for note in view.notes],
                "words": list(view.words),
            }
        )


@click.command("due")
@click.option("--run", "execute", is_flag=True, help="Run it here and now (as `rota tick` does).")
@json_option
def due_command(execute: bool, as_json: bool) -> None:
    """List what is due now and has not started."""
    from rota.app.queries import due

    with workspace() as app:
        if not (execute and as_json):  # then stdout is for what ran
            _show_due(due(app), app.clock.now(), as_json=as_json)
        if execute:
            import asyncio

            from rota.app.foreground import tick
            from rota.cli.daemon import say_ticked
            from rota.cli.runs import run_summary

            runs = asyncio.run(tick(app))
            if as_json:
                print_json([run_summary(run, app.config.timezone) for run in runs])
                raise SystemExit(any(run.state.value == "failed" for run in runs))
            say_ticked(runs)


def _show_due(views: Sequence[DueView], now: int, *, as_json: bool) -> None:
    from rota.app.times import ago, brief, city

    if as_json:
        print_json([_due_json(view) for view in views])
    elif views:
        rows = [
            [
                view.job_id,
                f"{ago(view.due_at, now)} ({brief(view.due_at, view.timezone, now)} {city(view.timezone)})",
                view.run.id if view.run else "not noticed yet",
                view.waits_for,
            ]
            for view in views
        ]
        print_table(["JOB", "DUE", "RUN", "WAITS FOR"], rows, flexible=(3, 0))
    else:
        note("Nothing is due.")


def _due_json(view: DueView) -> dict[str, Any]:
    return {
        "job": view.job_id,
        "due_at": iso(view.due_at, view.timezone),
        "run": view.run.id if view.run else None,
        "state": view.run.state.value if view.run else None,
        "waits_for": view.waits_for,
    }
