"""The ledger in words: why, due."""

from __future__ import annotations

import asyncio

import click

from rota.cli.opening import job_argument, json_option, workspace
from rota.cli.output import iso, note, print_json, print_table


@click.command("why")
@job_argument
@click.option(
    "--at", metavar="TIME", help='About one moment: "2026-11-21T08:00", "08:00", "yesterday 08:00".'
)
@click.option("--limit", "-n", default=10, show_default=True, help="How many occurrences.")
@json_option
def why_command(job: str, at: str | None, limit: int, as_json: bool) -> None:
    """Explain what was due, what happened, why, and what happens next."""
    from rota.app.queries import find_job
    from rota.app.times import parse_time
    from rota.app.why import why

    with workspace() as app:
        zone = find_job(app, job).timezone
        moment = parse_time(at, zone, app.clock.now()) if at else None
        view = why(app, job, at=moment, limit=3 if at and limit == 10 else limit)
        if not as_json:
            for line in view.words:
                click.echo(line)
            return
        print_json(
            {
                "job": view.record.id,
                "status": view.record.status,
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
                        "run_state": view.runs[o.run_id].state.value if o.run_id in view.runs else None,
                    }
                    for o in view.occurrences
                ],
                "next": iso(view.next_due, zone),
                "words": list(view.words),
            }
        )


@click.command("due")
@click.option("--run", "execute", is_flag=True, help="Run it here and now (as `rota tick` does).")
@json_option
def due_command(execute: bool, as_json: bool) -> None:
    """List what is due now and has not started."""
    from rota.app.queries import due
    from rota.app.times import ago, brief

    with workspace() as app:
        views, now = due(app), app.clock.now()
        if as_json:
            print_json(
                [
                    {"job": v.job_id, "due_at": iso(v.due_at), "run": v.run.id if v.run else None}
                    for v in views
                ]
            )
        elif views:
            zone = app.config.timezone
            rows = [
                [
                    v.job_id,
                    f"{ago(v.due_at, now)} ({brief(v.due_at, zone, now)})",
                    v.run.id if v.run else "not noticed yet",
                ]
                for v in views
            ]
            print_table(["JOB", "DUE", "RUN"], rows)
        else:
            note("Nothing is due.")
        if execute:
            from rota.app.foreground import tick
            from rota.cli.daemon import say_ticked

            say_ticked(asyncio.run(tick(app)))
