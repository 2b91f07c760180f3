"""`rota next`: when a schedule or a job fires."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from rota.cli.opening import workspace
from rota.cli.output import note, print_json
from rota.model.errors import RotaError, ScheduleError


@click.command("next")
@click.argument("expression", metavar="EXPR|JOB")
@click.option("--tz", "timezone", metavar="ZONE", help="The time zone.  [default: UTC, or the job's]")
@click.option("--after", metavar="TIME", help="Fires after this moment.  [default: now]")
@click.option("--anchor", metavar="TIME", help="Where `every` and `rrule` count from.")
@click.option("--count", "-n", default=5, show_default=True, type=click.IntRange(1, 10_000), help="How many.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of ISO 8601 instants.")
def next_command(
    expression: str, timezone: str | None, after: str | None, anchor: str | None, count: int, as_json: bool
) -> None:
    """Show when a schedule, or a job, fires next.

    EXPR is anything that `schedule:` takes: "0 8 * * 1-5", "every 90m", daily, "rrule:FREQ=WEEKLY", ...
    """
    from rota.schedule import parse, zone

    job = _fires_of_job(expression, after, count) if _may_be_a_job(expression) else None
    if job is not None:
        moments, said = job
    else:
        place = zone(timezone or "UTC")
        schedule = parse(expression, timezone or "UTC", _moment(anchor, place) if anchor else None)
        moment: datetime | None = _moment(after, place) if after else datetime.now(UTC)
        moments, said = [], schedule.describe()
        while moment is not None and len(moments) < count:
            moment = schedule.next(moment)
            if moment is not None:
                moments.append(moment)
        for warning in schedule.warnings:
            note(f"warning: {warning}")
    if as_json:
        print_json([moment.isoformat() for moment in moments])
        return
    note(said)
    for moment in moments:
        click.echo(f"{moment.isoformat()}  {moment:%a}")
    if not moments:
        note(
            "It does not fire any more."
            if after or expression.startswith("at ")
            else "It has no time of its own. hint: `rota why JOB` says what it waits for"
        )


def _moment(text: str, place: object) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ScheduleError(f"cannot read the time {text!r}", hint="write it as 2026-11-21T08:00") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=place)  # type: ignore[arg-type]


def _may_be_a_job(text: str) -> bool:
    """One word that is no schedule by itself."""
    from rota.schedule import parse

    if " " in text or text.startswith("@") or ":" in text:
        return False
    try:
        parse(text)
    except ScheduleError:
        return True
    return False


def _fires_of_job(job_id: str, after: str | None, count: int) -> tuple[list[datetime], str] | None:
    """The coming fires of a job of this workspace; None when there is no such job (or no workspace)."""
    from rota.app.queries import find_job, fires
    from rota.app.times import parse_time, zoned

    try:
        with workspace() as app:
            record = find_job(app, job_id)
            now = app.clock.now()
            start = parse_time(after, record.timezone, now) if after else now
            found = fires(app, record, start, count)
            return [zoned(moment, record.timezone) for moment in found], f"{record.id} ({record.schedule})"
    except RotaError as error:
        if error.code in {"not_found", "bad_workspace"}:
            return None
        raise
