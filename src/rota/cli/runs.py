"""Runs: start, run again, cancel, logs, history."""

from __future__ import annotations

import sys
import threading
from typing import Any, TextIO

import click

from rota.cli.by_agent import done_at_the_desk, refuse_agents
from rota.cli.opening import complete_job, job_argument, json_option, workspace
from rota.cli.output import dimmed, iso, note, paint, print_json, print_table

# A run that starts later than this after its moment says so; microseconds.
LATE = 60_000_000
run_argument = click.argument("run", metavar="JOB|RUN", shell_complete=complete_job)


@click.command("run")
@job_argument
@click.option("--param", "-p", "params", multiple=True, metavar="K=V", help="A parameter of the job.")
@click.option("--wait", is_flag=True, help="Stay until it ends, showing what it prints.")
@click.option("--force", is_flag=True, help="Even while another run of it is active.")
@click.option(
    "--each", type=click.File(), help="A run for each line of this file (- is stdin), a JSON object."
)
@click.option("--json", "as_json", is_flag=True, help="The run as JSON on stdout.")
def run_command(
    job: str, params: tuple[str, ...], wait: bool, force: bool, each: TextIO | None, as_json: bool
) -> None:
    """Start a job now. Without a daemon it runs right here, and this command waits for it."""
    from rota.app.commands import run_job

    given = params_of(params)
    if each is not None and (wait or force):
        raise click.UsageError("--each only queues runs\nhint: leave out --wait and --force")
    with workspace() as app:
        if force or each is not None:
            refuse_agents(app)
        if done_at_the_desk(app, "job_run", job=job, params=given):
            return
        if each is not None:
            _run_each(app, job, given, each.read(), as_json=as_json)
            return
        _say_started(app, run_job(app, job, given, force=force), wait=wait, as_json=as_json)


def _run_each(app: Any, job: str, given: dict[str, str], text: str, *, as_json: bool) -> None:
    from rota.app.control import running_daemon
    from rota.app.each import read_lines, run_each

    lines = read_lines(text)
    ids = run_each(app, job, [{**given, **line} for line in lines])
    if as_json:
        print_json(ids)
    else:
        for run_id in ids:
            click.echo(run_id)
    left = len(lines) - len(ids)
    note(f"{len(ids)} runs are queued" + (f"; {left} left out by the job's `overlap:`." if left else "."))
    if running_daemon(app.layout) is None:
        note("No daemon is running. hint: rota up, or rota tick")


@click.command("rerun")
@run_argument
@click.option("--from", "from_step", metavar="STEP", help="Take over what does not wait for this step.")
@click.option("--as-it-was", is_flag=True, help="With the definition that the job had then.")
@click.option("--wait", is_flag=True, help="Stay until it ends, showing what it prints.")
@click.option("--json", "as_json", is_flag=True, help="The new run as JSON on stdout.")
def rerun_command(run: str, from_step: str | None, as_it_was: bool, wait: bool, as_json: bool) -> None:
    """Run again what a run did, with the same inputs. A job's id means its latest run."""
    from rota.app.rerun import rerun

    with workspace() as app:
        again = rerun(app, run, from_step=from_step, as_it_was=as_it_was)
        _say_started(app, again, wait=wait, as_json=as_json)


def params_of(items: tuple[str, ...]) -> dict[str, str]:
    """What --param options say."""
    given: dict[str, str] = {}
    for item in items:
        key, found, value = item.partition("=")
        if not found:
            raise click.UsageError(f"--param takes K=V, got {item!r}\nhint: --param days=3")
        given[key] = value
    return given


def _say_started(app: Any, run: Any, *, wait: bool, as_json: bool) -> None:
    """A run was queued: leave it to the daemon, or stay until it ends; without a daemon it runs here."""
    from rota.app.control import running_daemon

    here = running_daemon(app.layout) is None
    if here:
        note(f"Run {run.id}: no daemon is running, so it runs here.")
    elif not wait:
        note(f"Run {run.id} is queued. hint: rota logs {run.id} -f")
        if as_json:
            print_json({"id": run.id, "state": run.state.value})
        else:
            click.echo(run.id)
        return
    ended = watch(app, run.id, here=here, quiet=as_json)
    if as_json:
        print_json(_run_json(app, ended.id))
    say_end(ended)
    if here:
        _say_queued(app)
    _say_retry(app, ended, here=here)
    if ended.state.value not in {"succeeded", "waiting"}:
        raise SystemExit(1)


def watch(app: Any, run_id: str, *, here: bool, quiet: bool = False) -> Any:
    """Show what a run prints until it ends; execute it here when nobody else does."""
    import asyncio

    from rota.app.foreground import run_here
    from rota.app.queries import find_run

    if not here:
        _show(app, run_id, follow=True, out=not quiet)
        return find_run(app, run_id)
    options = {"follow": True, "out": not quiet}
    shower = threading.Thread(target=_show, args=(app, run_id), kwargs=options, daemon=True)
    shower.start()
    ended = asyncio.run(run_here(app, find_run(app, run_id)))
    shower.join(timeout=5)
    return ended


def _show(app: Any, text: str, *, follow: bool, out: bool = True) -> bool:
    """Print the pieces of a run's log; whether there were any."""
    from rota.app.logs_of_runs import read_logs

    shown, line_open = False, False
    for piece in read_logs(app, text, follow=follow):
        shown = True
        if piece.attempt is not None:
            if line_open:
                click.echo()
                line_open = False
            again = f" (attempt {piece.attempt.number})" if piece.attempt.number > 1 else ""
            note(dimmed(f"── {piece.attempt.step_id}{again}"))
        if piece.text and out:
            click.echo(piece.text, nl=False)
            sys.stdout.flush()
            line_open = not piece.text.endswith("\n")
    if line_open:
        click.echo()
    return shown


def _say_queued(app: Any) -> None:
    """Without a daemon, a job that follows the one that ran waits for somebody to run it."""
    from rota.app.queries import due

    queued = sorted({view.job_id for view in due(app) if view.run is not None})
    if queued:
        note(f"{', '.join(queued)} {'is' if len(queued) == 1 else 'are'} queued. hint: rota tick")


def _say_retry(app: Any, run: Any, *, here: bool) -> None:
    """The attempt that follows by `retry_run:`; without a daemon it waits for somebody to make it."""
    from rota.app.queries import retry_of
    from rota.app.times import until

    again = retry_of(app, run) if run.state.value == "failed" else None
    if again is not None:
        when = "now" if again.not_before is None else until(again.not_before, app.clock.now())
        hint = "rota up, or rota tick then" if here else f"rota logs {again.id} -f"
        note(f"{again.reason.text}: run {again.id}, {when}. hint: {hint}")


def say_end(run: Any) -> None:
    """How a run ended, in one line."""
    took = ""
    if run.started_at is not None and run.finished_at is not None:
        took = f" in {(run.finished_at - run.started_at) / 1e6:.1f} s"
    why = "" if run.state.value == "succeeded" else f": {run.reason.text}"
    note(f"{run.job_id} {paint(run.state.value)}{took}{why}  ({run.id})")
    if run.state.value == "waiting" and run.not_before is None:
        hints = {
            "approval": f"rota approve {run.id}, or rota deny {run.id} --reason ...",
            "inbox": f"rota inbox take {run.id} prints the prompt, rota inbox done {run.id} --output FILE answers it",
        }
        note(f"hint: {hints.get(run.reason.code, 'rota inbox')}")


@click.command("cancel")
@click.argument("run", metavar="[JOB|RUN]", required=False, shell_complete=complete_job)
@click.option("--job", metavar="JOB", help="All active runs of this job.", shell_complete=complete_job)
@click.option("--reason", metavar="TEXT", help="What the run shows as its reason.")
def cancel_command(run: str | None, job: str | None, reason: str | None) -> None:
    """End a run, and everything it started. A job's id means its latest run."""
    from rota.app.cancelling import cancel_job, cancel_run
    from rota.app.control import running_daemon

    if (run is None) == (job is None):
        raise click.UsageError(
            "name a run, or a job with --job\nhint: rota cancel --job JOB ends all its runs"
        )
    with workspace() as app:
        cancelled = [cancel_run(app, run, reason)] if run is not None else cancel_job(app, job or "", reason)
        for found, before in cancelled:
            verb = "is being ended" if before.value == "running" else "is cancelled"
            note(f"Run {found.id} of {found.job_id} {verb}.")
        alone = running_daemon(app.layout) is None
        if alone and any(before.value == "running" for _, before in cancelled):
            note("No daemon is running: the process that runs it ends it. hint: if there is none, rota tick")


@click.command("logs")
@run_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@json_option
def logs_command(run: str, follow: bool, as_json: bool) -> None:
    """Show what a run printed, step by step. A job's id means its latest run."""
    from rota.app.queries import find_run, run_view

    with workspace() as app:
        found = find_run(app, run)
        if as_json:
            print_json(_run_json(app, found.id))
            return
        note(f"{found.job_id}  run {found.id}  {paint(found.state.value)}")
        shown = _show(app, found.id, follow=follow)
        ended = find_run(app, found.id)
        for step in run_view(app, found.id).steps:
            if step.state.value == "skipped" and step.reason is not None:
                note(f"── {step.step_id} was skipped: {step.reason.text}")
        if not shown:
            note("Nothing was printed." if ended.final else "Nothing has been printed yet. hint: -f follows")
        if ended.state.value != "succeeded":
            note(f"{ended.state.value}: {ended.reason.text}")


@click.command("history")
@job_argument
@click.option("--limit", "-n", default=20, show_default=True, help="How many runs.")
@json_option
def history_command(job: str, limit: int, as_json: bool) -> None:
    """List the runs of a job, latest first."""
    from rota.app.queries import did_not_run, find_job, history
    from rota.app.times import city

    with workspace() as app:
        record, now = find_job(app, job), app.clock.now()
        runs, without = history(app, job, limit), did_not_run(app, job)
        if as_json:
            print_json([run_summary(run, record.timezone) for run in runs])
            return
        if runs:
            rows = [_history_row(run, record.timezone, now) for run in runs]
            due = f"DUE ({city(record.timezone)})"
            print_table(["RUN", due, "BY", "STATE", "TOOK", "REASON"], rows, flexible=(5, 1))
        else:
            note(f"{job} has not run yet. hint: rota why {job}")
        if without and runs:
            note(f"Without a run: {without}. hint: rota why {job}")


def _history_row(run: Any, timezone: str, now: int) -> list[str]:
    from rota.app.times import brief, took

    length = "–"
    if run.started_at is not None:
        length = took((run.finished_at or now) - run.started_at) + ("" if run.final else " so far")
    due = brief(run.due_at or run.queued_at, timezone, now)
    return [run.id, due, run.trigger_id, run.state.value, length, _remark(run)]


def _remark(run: Any) -> str:
    """Why a run is in its state, where that says more than the state; and how late it began."""
    from rota.app.times import took

    said = [run.reason.text] if run.state.value not in {"succeeded", "running", "queued"} else []
    if run.backfilled:
        said.append("backfilled")
    elif (first := run.inputs.get("rerun_of")) is not None:
        said.append(f"run {first} again")
    elif run.due_at is not None and run.started_at is not None and run.started_at - run.due_at >= LATE:
        said.append(f"started {took(run.started_at - run.due_at)} after it was due")
    return "; ".join(said)


def run_summary(run: Any, timezone: str) -> dict[str, Any]:
    """A run as JSON."""
    return {
        "id": run.id,
        "job": run.job_id,
        "state": run.state.value,
        "reason": {"code": run.reason.code, "text": run.reason.text},
        "trigger": run.trigger_id,
        "due_at": iso(run.due_at, timezone),
        "queued_at": iso(run.queued_at, timezone),
        "started_at": iso(run.started_at, timezone),
        "finished_at": iso(run.finished_at, timezone),
        "took_seconds": None
        if run.started_at is None or run.finished_at is None
        else (run.finished_at - run.started_at) / 1e6,
        "inputs": dict(run.inputs),
        "outputs": dict(run.outputs),
    }


def _run_json(app: Any, run_id: str) -> dict[str, Any]:
    from rota.app.queries import run_view

    view = run_view(app, run_id)
    return {
        **run_summary(view.run, "UTC"),
        "steps": [
            {
                "id": step.step_id,
                "state": step.state.value,
                "reason": None if step.reason is None else step.reason.text,
                "output": step.output,
                "values": dict(step.values),
                "attempts": [_attempt_json(a) for a in view.attempts if a.step_id == step.step_id],
            }
            for step in view.steps
        ],
        "messages": [
            {"channel": m.channel, "state": m.state.value, "body": m.body, "error": m.error}
            for m in view.messages
        ],
    }


def _attempt_json(attempt: Any) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "state": attempt.state.value,
        "exit_code": attempt.exit_code,
        "reason": None if attempt.reason is None else attempt.reason.text,
        "started_at": iso(attempt.started_at),
        "finished_at": iso(attempt.finished_at),
        "excerpt": attempt.excerpt,
        "log": attempt.log,
        "output_bytes": attempt.output_bytes,
        "truncated": attempt.truncated,
    }
