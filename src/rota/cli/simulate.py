"""`rota simulate`: the coming load, day by day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from rota.cli.opening import complete_job, json_option, workspace
from rota.cli.output import iso, note, print_json, print_table

if TYPE_CHECKING:
    from rota.app.simulate import LoadView

WIDTH = 80
# Lines of one day, and names in one line: beyond it is only said how many more there are.
MOST_LINES = 40
MOST_NAMES = 3
_SKIPPED = {
    "overlap": "the run before is usually still active (overlap: skip)",
    "waiting": "a run that is put off waits already (overlap: skip)",
    "window": "its window is shut (skip)",
    "queue_full": "too many wait already",
}
_SHIFTED = {
    "overlap": "are ended by the next one (overlap: cancel-running)",
    "beside": "run beside the one before (overlap: allow)",
    "queue": "wait for the run before",
    "window": "are put off by its window",
    "jitter": "are spread by jitter",
}


@click.command("simulate")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 366), help="How many days.")
@click.option(
    "--job", "jobs", multiple=True, metavar="ID", shell_complete=complete_job, help="This job; repeatable."
)
@click.option("--from", "start", metavar="TIME", help='"2026-11-21T08:00", "tomorrow".  [default: now]')
@json_option
def simulate_command(days: int, jobs: tuple[str, ...], start: str | None, as_json: bool) -> None:
    """Show the coming load as a timeline: what runs when, for how long, what overlaps and what is skipped.

    Nothing is run, and no daemon is needed. How long a run takes is the median of the job's last 20 that succeeded.
    """
    from rota.app.simulate import simulate
    from rota.app.times import parse_time

    with workspace() as app:
        now = app.clock.now()
        first = parse_time(start, app.config.timezone, now) if start else now
        view = simulate(app, days=days, start=first, jobs=jobs)
    if as_json:
        print_json(_as_json(view))
        return
    total = sum(day.total.runs for day in view.days)
    work = sum(day.total.work for day in view.days)
    about = "about " if any(load.estimated for load in view.jobs) else ""
    click.echo(f"{_span(view)}: {about}{_sum(total, work)}.")
    _print_often(view, days)
    for day in view.days:
        _print_day(view, day)
    _print_list("Cost of agents", list(_costs(view)))
    _print_list("Worth knowing", list(_remarks(view)))
    _print_list("Not counted", [f"{name}: {reason.text}" for name, reason in view.left_out])
    if not view.jobs and not view.left_out:
        note('hint: there are no jobs yet: rota add hello --schedule "every 1m" --run "echo hello"')


def _span(view: LoadView) -> str:
    from rota.app.times import city, zoned

    first, last = zoned(view.start, view.timezone), zoned(view.end, view.timezone)
    return f"{first:%a %-d %b %Y %H:%M} to {last:%a %-d %b %H:%M} {city(view.timezone)}"


def _sum(runs: int, work: int) -> str:
    from rota.app.times import took

    return f"{runs:,} run{'s' * (runs != 1)}" + (f", {took(work)} of work" if work else "")


def _print_often(view: LoadView, days: int) -> None:
    """One line for each job that fires many times a day."""
    from rota.app.simulate import rhythm

    rows = [
        [load.expected.job.id, rhythm(load), f"{_a_day(load, view, days)}, {_usual(view, load)}"]
        for load in view.jobs
        if load.often
    ]
    if rows:
        click.echo("\nOften (in the sums of the days, but not in their lines)")
        print_table(["JOB", "WHEN", "HOW OFTEN"], rows, flexible=(0, 1))


def _a_day(load: Any, view: LoadView, days: int) -> str:
    full = [tally.due for tally, day in zip(load.days, view.days, strict=True) if _is_full(day)]
    counts = sorted({load.total.due} if days == 1 else set(full))
    about = "about " if load.estimated and load.expected.schedules[0].kind == "rrule" else ""
    if len(counts) == 1:
        return f"{about}{counts[0]:,} times a day"
    return f"{about}{counts[0]:,} to {counts[-1]:,} times a day"


def _is_full(day: Any) -> bool:
    return bool(day.end - day.start >= 23 * 3600 * 1_000_000)  # the day on which clocks go forward counts


def _usual(view: LoadView, load: Any) -> str:
    from rota.app.times import took

    if load.expected.usual is None:
        return "never succeeded yet" if load.expected.job.id in view.unproven else "no runs yet"
    return f"usual {took(load.expected.usual)}" + (" each" if load.often else "")


def _print_day(view: LoadView, day: Any) -> None:
    from rota.app.times import zoned

    head = f"{zoned(day.start, view.timezone):%a %-d %b}  {_sum(day.total.runs, day.total.work)}"
    click.echo("\n" + click.style(", ".join([head, *_load_of(view, day)]), bold=True))
    for shift in view.shifts:
        if day.start <= shift.change.at < day.end:
            _print_shift(shift)
    lines = list(_lines(view, day))
    for line in lines[:MOST_LINES]:
        _print_wrapped(line, "  ")
    if len(lines) > MOST_LINES:
        click.echo(
            f"  … and {len(lines) - MOST_LINES} more lines (--job ID shows those of one job, --json all)"
        )


def _load_of(view: LoadView, day: Any) -> Iterator[str]:
    if day.peak is not None and (day.peak.runs > 1 or day.peak.beyond):
        yield _peak(view, day.peak)
    for peak in day.groups:
        yield f"group {peak.group}: {_peak(view, peak)}"


def _peak(view: LoadView, peak: Any) -> str:
    limit = f", limit {peak.limit}" + (f": {peak.runs - peak.limit} wait" if peak.beyond else "")
    return f"{peak.runs} at once at {_clock(view, peak.at)}{limit}"


def _clock(view: LoadView, instant: int) -> str:
    from rota.app.times import zoned

    moment = zoned(instant, view.timezone)
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def _print_shift(shift: Any) -> None:
    from rota.app.simulate import shift_words

    effects = "".join(f"; {job}: `{text}` {said}" for job, text, said in shift.effects[:MOST_LINES])
    _print_wrapped(f"! {shift_words(shift)}{effects}", "  ")


def _lines(view: LoadView, day: Any) -> Iterator[str]:
    """One line a moment; one for all that come together and of which nothing more is to be said."""
    usual = {load.expected.job.id: _usual(view, load) for load in view.jobs}
    width = min(24, max((len(moment.job_id) for moment in day.moments), default=0))
    for clock, found in groupby(
        day.moments, key=lambda m: _clock(view, m.due_at if m.start is None else m.start)
    ):
        moments = list(found)
        plain = [moment for moment in moments if moment.reason is None]
        if len(plain) > MOST_NAMES:
            names = ", ".join(moment.job_id for moment in plain[:MOST_NAMES])
            yield f"{clock}  {len(plain)} jobs: {names} and {len(plain) - MOST_NAMES} more"
            moments = [moment for moment in moments if moment.reason is not None]
        for moment in moments:
            yield f"{clock}  {moment.job_id:<{width}}  {_told(view, moment, usual[moment.job_id])}"


def _told(view: LoadView, moment: Any, usual: str) -> str:
    if moment.start is None:
        return f"skipped: {moment.reason.text}"
    if moment.reason is None:
        return usual
    late = f"due {_clock(view, moment.due_at)}: " if moment.start != moment.due_at else ""
    return f"{usual}; {late}{moment.reason.text}"


def _remarks(view: LoadView) -> Iterator[str]:
    """What a reader of the days may overlook."""
    from rota.app.times import zoned

    for load in view.jobs:
        total, job = load.total, load.expected.job.id
        about = "about " if load.estimated else ""
        for words, counts in ((_SKIPPED, total.skipped), (_SHIFTED, total.shifted)):
            for code, number in counts.items():
                if words is _SKIPPED:
                    yield f"{job}: skips {about}{number:,} of {total.due:,}: {words.get(code, code)}"
                elif number:
                    yield f"{job}: {about}{number:,} of {total.runs:,} runs {words.get(code, code)}"
    for day in view.days:
        if len(day.busy) > 1:
            minutes = ", ".join(f"{_clock(view, at)} ({number} start)" for at, number in day.busy)
            yield f"busy minutes of {zoned(day.start, view.timezone):%a %-d %b}: {minutes}"
    for name, reason in view.notes:
        yield f"{name}: {reason.text}"


def _costs(view: LoadView) -> Iterator[str]:
    """What the coming runs would cost, and which budgets that would use up."""
    from rota.app.spend import shown
    from rota.app.times import local

    found = view.forecast
    if found.total:
        yield f"about {shown('usd', found.usd)} in all, if runs take what they usually do"
    for job, used in sorted(found.total.items(), key=lambda item: -item[1].usd):
        each = shown("usd", found.usual[job].usd)
        yield f"{job}: about {shown('usd', used.usd)}, {shown('tokens', used.tokens)} (usually {each} a run)"
    for hit in found.hits:
        whose = f"{hit.job}: " if hit.job else ""
        yield f"! {whose}{hit.words}, would be used up {local(hit.at, view.timezone)}; what comes after it is skipped"
    if found.unknown:
        yield f"not known yet, since no agent was asked so far: {', '.join(found.unknown)}"


def _print_list(title: str, lines: Sequence[str]) -> None:
    if lines:
        click.echo("\n" + click.style(title, bold=True))
    for line in lines[:MOST_LINES]:
        _print_wrapped(line, "  ")
    if len(lines) > MOST_LINES:
        click.echo(f"  … and {len(lines) - MOST_LINES} more")


def _print_wrapped(text: str, indent: str) -> None:
    for line in wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_long_words=False
    ):
        click.echo(line)


def _as_json(view: LoadView) -> dict[str, Any]:
    zone = view.timezone
    return {
        "from": iso(view.start, zone),
        "until": iso(view.end, zone),
        "timezone": zone,
        "limit": view.limit,
        "runs": sum(day.total.runs for day in view.days),
        "work_seconds": sum(day.total.work for day in view.days) / 1e6,
        "days": [_day_json(view, day) for day in view.days],
        "jobs": [_job_json(load) for load in view.jobs],
        "clock_changes": [
            {
                "at": iso(shift.change.at, shift.change.timezone),
                "timezone": shift.change.timezone,
                "from": f"{shift.change.before:%H:%M}",
                "to": f"{shift.change.after:%H:%M}",
                "jobs": [{"job": job, "schedule": text, "effect": said} for job, text, said in shift.effects],
            }
            for shift in view.shifts
        ],
        "not_counted": [_noted(name, reason) for name, reason in view.left_out],
        "notes": [_noted(name, reason) for name, reason in view.notes],
        "cost": _cost_json(view),
    }


def _cost_json(view: LoadView) -> dict[str, Any]:
    found = view.forecast
    return {
        "usd": round(found.usd, 6),
        "jobs": [
            {
                "id": job,
                "usd": round(used.usd, 6),
                "tokens": used.tokens,
                "usual_usd": round(found.usual[job].usd, 6),
            }
            for job, used in found.total.items()
        ],
        "unknown": list(found.unknown),
        "used_up": [
            {
                "job": hit.job,
                "per": hit.bound.span.value,
                "unit": hit.unit,
                "at": iso(hit.at, view.timezone),
            }
            for hit in found.hits
        ],
    }


def _noted(name: str, reason: Any) -> dict[str, Any]:
    return {"job": name, "reason": {"code": reason.code, "text": reason.text}}


def _tally_json(tally: Any) -> dict[str, Any]:
    return {
        "due": tally.due,
        "runs": tally.runs,
        "work_seconds": tally.work / 1e6,
        "skipped": dict(tally.skipped),
        "shifted": dict(tally.shifted),
    }


def _day_json(view: LoadView, day: Any) -> dict[str, Any]:
    zone = view.timezone

    def peak(found: Any) -> Mapping[str, Any] | None:
        if found is None:
            return None
        return {"at": iso(found.at, zone), "runs": found.runs, "limit": found.limit, "group": found.group}

    return {
        "date": (iso(day.start, zone) or "")[:10],
        **_tally_json(day.total),
        "peak": peak(day.peak),
        "groups": [peak(found) for found in day.groups],
        "busy_minutes": [{"at": iso(at, zone), "starts": number} for at, number in day.busy],
        "moments": [
            {
                "job": moment.job_id,
                "due_at": iso(moment.due_at, zone),
                "start": iso(moment.start, zone),
                "reason": moment.reason and {"code": moment.reason.code, "text": moment.reason.text},
            }
            for moment in day.moments
        ],
    }


def _job_json(load: Any) -> dict[str, Any]:
    from rota.app.simulate import rhythm

    expected = load.expected
    return {
        "id": expected.job.id,
        "schedule": ", ".join(schedule.text for schedule in expected.schedules),
        "words": rhythm(load),
        "timezone": expected.timezone,
        "overlap": expected.job.overlap.value,
        "usual_seconds": None if expected.usual is None else expected.usual / 1e6,
        "often": load.often,
        "estimated": load.estimated,
        **_tally_json(load.total),
    }
