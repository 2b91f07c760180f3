"""`rota backfill`: run a job for moments of the past."""

from __future__ import annotations

import sys
from typing import Any

import click

from rota.cli.opening import job_argument, json_option, workspace
from rota.cli.output import iso, note, print_json, print_table
from rota.cli.runs import params_of


@click.command("backfill")
@job_argument
@click.option("--from", "start", metavar="TIME", required=True, help="The first moment of the span.")
@click.option("--to", "end", metavar="TIME", required=True, help="The end of the span, not in it itself.")
@click.option("--param", "-p", "params", multiple=True, metavar="K=V", help="A parameter of the runs.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(min=1), help="So many runs at most."
)
@click.option("--dry-run", is_flag=True, help="Show what would run, and queue nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def backfill_command(
    job: str,
    start: str,
    end: str,
    params: tuple[str, ...],
    limit: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Run a job for the moments between two times that its schedule named and that did not run."""
    from rota.app.backfill import backfill, plan_backfill
    from rota.app.queries import find_job
    from rota.app.times import parse_time

    given = params_of(params)
    with workspace() as app:
        zone, now = find_job(app, job).timezone, app.clock.now()
        span = parse_time(start, zone, now), parse_time(end, zone, now)
        planned = plan_backfill(app, job, *span, given, limit=limit)
        if planned.to_run and not dry_run and not yes and sys.stdin.isatty():
            question = f"Run {job} for {planned.to_run} of {planned.moments} moments?"
            if not click.confirm(question, err=True):
                note("Nothing was changed.")
                raise SystemExit(1)
        done = planned if dry_run else backfill(app, planned)
        if as_json:
            print_json(_as_json(done, zone, dry_run=dry_run))
        else:
            _print(done, zone, now)
        _say(app, done, dry_run=dry_run)


def _print(done: Any, zone: str, now: int) -> None:
    from rota.app.times import brief

    rows = [
        [
            brief(one.due_at, zone, now),
            "" if one.before is None else one.before.outcome.value,
            one.run_id or (f"not run: {one.not_run}" if one.not_run else "–"),
        ]
        for one in done.missed
    ]
    if rows:
        print_table(["DUE", "BEFORE", "RUN"], rows, flexible=(2,))


def _say(app: Any, done: Any, *, dry_run: bool) -> None:
    """What came of it, in one line."""
    from rota.app.control import running_daemon

    queued = done.to_run if dry_run else sum(one.run_id is not None for one in done.missed)
    already = f"{done.ran} of {done.moments} ran already" if done.moments else "nothing was due then"
    verb = "would be" if dry_run else "is" if queued == 1 else "are"
    runs = f"{queued} run{'' if queued == 1 else 's'} of {done.record.id} {verb} queued"
    note(f"{runs}; {already}." if queued else f"Nothing to run: {already}.")
    if queued and not dry_run and running_daemon(app.layout) is None:
        note("No daemon is running. hint: rota tick runs them")


def _as_json(done: Any, zone: str, *, dry_run: bool) -> dict[str, Any]:
    return {
        "job": done.record.id,
        "from": iso(done.start, zone),
        "to": iso(done.end, zone),
        "dry_run": dry_run,
        "moments": done.moments,
        "ran_already": done.ran,
        "missed": [
            {
                "due_at": iso(one.due_at, zone),
                "trigger": one.trigger_id,
                "key": one.key,
                "before": None
                if one.before is None
                else {"outcome": one.before.outcome.value, "reason": one.before.reason.text},
                "not_run": one.not_run,
                "run": one.run_id,
            }
            for one in done.missed
        ],
    }
