"""Jobs: add, list, show, edit, pause, resume, remove."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from rota.cli.by_agent import done_at_the_desk
from rota.cli.errors import report as say_error
from rota.cli.opening import job_argument, json_option, workspace
from rota.cli.output import iso, note, paint, print_json, print_table
from rota.cli.proposals import hands_of


@click.command("add")
@click.argument("job_id", metavar="ID")
@click.option("--schedule", "-s", help='When: "0 8 * * 1-5", "every 4h", daily, "at 2026-12-01T09:00", ...')
@click.option("--run", "command", metavar="CMD", help="A shell command.")
@click.option("--script", metavar="PATH", help="A script of the workspace's scripts/ folder.")
@click.option("--python", metavar="MODULE:FUNCTION", help="A Python function.")
@click.option("--prompt", metavar="TEXT", help="A prompt for an agent (- reads stdin).")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="A job file to copy in.")
@click.option("--tz", "timezone", help="The schedule's time zone.  [default: the workspace's]")
@click.option("--name", help="A name for people.")
@click.option("--description", help="What it is for.")
@click.option("--timeout", help="How long a step may take, as in 10m.")
@click.option("--output", metavar="PATH", help="A file that gets the step's output.")
@click.option("--notify", multiple=True, metavar="CHANNEL", help="Who hears of it: desktop, slack, ...")
@click.option("--set", "extra", multiple=True, metavar="KEY=VALUE", help="Any other key of a job file.")
def add_command(job_id: str, **options: Any) -> None:
    """Add a job: write its file, .rota/jobs/ID.yaml (or ID.md for a prompt).

    One of --run, --script, --python, --prompt or --config says what it does.
    """
    from rota.app.jobedit import add_job

    keys, prompt, text = _new_job(options)
    with workspace() as app:
        if text is None and "timezone" not in keys and options["schedule"]:
            keys = _after(keys, "schedule", "timezone", app.config.timezone)
        if done_at_the_desk(app, "job_create", id=job_id, keys=keys, prompt=prompt, text=text):
            return
        record = add_job(app, job_id, keys, prompt=prompt, text=text)
        note(f"Wrote {record.path}.")
        _say_next(app, record.id)


def _new_job(options: dict[str, Any]) -> tuple[dict[str, Any], str | None, str | None]:
    """The keys of the new file, the prompt, or a whole file's text."""
    kinds = [
        name for name in ("command", "script", "python", "prompt", "config") if options[name] is not None
    ]
    if len(kinds) != 1:
        given = " and ".join("--" + ("run" if k == "command" else k) for k in kinds) or "none"
        raise click.UsageError(
            f"a job needs one of --run, --script, --python, --prompt, --config; given: {given}\n"
            'hint: rota add tidy --schedule daily --run "make tidy"'
        )
    if options["config"] is not None:
        text = Path(options["config"]).read_text("utf-8")
        return {}, None, _with_overrides(text, options)
    keys: dict[str, Any] = {}
    for name in ("name", "description", "schedule", "timezone", "timeout"):
        if options[name]:
            keys[name] = options[name]
    for item in options["extra"]:
        key, value = _pair(item)
        keys[key] = value
    if options["notify"]:
        keys["notify"] = list(options["notify"])
    output = {"output": options["output"]} if options["output"] else {}
    if options["prompt"] is not None:
        prompt = sys.stdin.read() if options["prompt"] == "-" else options["prompt"]
        return {**keys, **output}, prompt, None
    kind = {"command": "run"}.get(kinds[0], kinds[0])
    keys["steps"] = [{kind: options[kinds[0]], **output}]
    return keys, None, None


def _with_overrides(text: str, options: dict[str, Any]) -> str:
    from rota.spec import set_keys

    changes = {
        k: options[k] for k in ("name", "description", "schedule", "timezone", "timeout") if options[k]
    }
    return set_keys(text, str(options["config"]), changes) if changes else text


def _pair(item: str) -> tuple[str, Any]:
    key, found, value = item.partition("=")
    if not found or not key:
        raise click.UsageError(f"--set takes KEY=VALUE, got {item!r}\nhint: --set overlap=allow")
    import json

    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _after(keys: dict[str, Any], key: str, new: str, value: Any) -> dict[str, Any]:
    """The keys with `new` right behind `key`, so that the file reads well."""
    ordered: dict[str, Any] = {}
    for name, old in keys.items():
        ordered[name] = old
        if name == key:
            ordered[new] = value
    return ordered


def _say_next(app: Any, job_id: str) -> None:
    from rota.app.control import running_daemon
    from rota.app.queries import list_jobs
    from rota.app.times import upcoming

    view = next((v for v in list_jobs(app) if v.record.id == job_id), None)
    if view is None:
        note(f"There is no job `{job_id}` any more: its id was changed, or it was taken out. hint: rota list")
        return
    for warning in view.record.warnings:
        note(f"warning: {warning}")
    if view.next_due is not None:
        note(f"Next: {upcoming(view.next_due, view.record.timezone, app.clock.now())}.")
    elif not view.record.enabled:
        note("It is disabled: no trigger starts it.")
    elif view.record.schedule in {"", "manual"}:
        note(f"Nothing starts it by itself: start it with `rota run {job_id}`.")
    else:
        note(f"It starts by {view.record.schedule}; `rota run {job_id}` starts it now.")
    if running_daemon(app.layout) is None:
        note("hint: no daemon is running; start it with `rota up` (or `rota up --background`)")


@click.command("list")
@json_option
@click.option("--all", "everything", is_flag=True, help="Removed jobs too.")
def list_command(as_json: bool, everything: bool) -> None:
    """List the jobs, their last run and their next."""
    from rota.app.looks import brief_next
    from rota.app.queries import broken_files, list_jobs, removed_jobs
    from rota.app.times import ago, upcoming

    with workspace() as app:
        views, broken, now = list_jobs(app), broken_files(app), app.clock.now()
        if everything:
            views += removed_jobs(app)
        if as_json:
            print_json(
                [_as_json(view) for view in views] + [_broken_json(f) for f in _jobless(broken, views)]
            )
            return
        rows = [[Path(file.path).stem, "broken", "–", "–", "–"] for file in _jobless(broken, views)]
        for view in views:
            record, run = view.record, view.last_run
            last = "–" if run is None else f"{_state(run)} {ago(run.finished_at or run.queued_at, now)}"
            coming = "–"
            if record.paused_at is not None and record.removed_at is None:
                coming = f"paused: {record.paused_reason}"
            elif view.next_due is not None:
                coming = upcoming(view.next_due, record.timezone, now)
            elif view.looks and record.status in {"active", "broken"}:
                coming = brief_next(view.looks[0], now)
            rows.append([record.id, record.status, record.schedule or "manual", last, coming])
        if rows:
            print_table(
                ["JOB", "STATUS", "SCHEDULE", "LAST RUN", "NEXT"], sorted(rows), flexible=(0, 2, 3, 4)
            )
        else:
            note("No jobs yet.")
            note('hint: rota add hello --schedule "every 1m" --run "echo hello"')
        _report_broken(broken)


def _state(run: Any) -> str:
    """The state of a run; of one that waits for a person, that it does."""
    asks = run.state.value == "waiting" and run.not_before is None
    return "waiting for an answer" if asks else str(run.state.value)


def _report_broken(broken: list[Any]) -> None:
    for file in broken:
        place = file.path + (f":{file.line}" if file.line else "")
        note(f"broken: {place}: {file.error}")
        note(f"hint: {file.hint or f'rota check {file.path}'}")


def _jobless(broken: list[Any], views: list[Any]) -> list[Any]:
    """Broken files that no job of the registry stands for."""
    known = {view.record.path for view in views}
    return [file for file in broken if file.path not in known]


def _broken_json(file: Any) -> dict[str, Any]:
    return {
        "id": Path(file.path).stem,
        "status": "broken",
        "path": file.path,
        "error": file.error,
        "next": None,
    }


def _as_json(view: Any) -> dict[str, Any]:
    record, run = view.record, view.last_run
    return {
        "id": record.id,
        "name": record.name,
        "description": record.description,
        "status": record.status,
        "schedule": record.schedule,
        "timezone": record.timezone,
        "next": iso(view.next_due, record.timezone),
        "path": record.path,
        "error": record.error,
        "warnings": list(record.warnings),
        "paused_reason": record.paused_reason,
        "active_runs": view.active,
        "looks": [_look_json(look, record.timezone) for look in view.looks],
        "last_run": None
        if run is None
        else {
            "id": run.id,
            "state": run.state.value,
            "reason": run.reason.text,
            "finished_at": iso(run.finished_at, record.timezone),
        },
    }


def _look_json(view: Any, timezone: str) -> dict[str, Any]:
    look = view.record
    return {
        "trigger": look.trigger_id,
        "kind": look.kind,
        "what": view.what,
        "looked_at": iso(look.looked_at, timezone),
        "found_at": iso(look.news_at, timezone),
        "found": look.found,
        "failures": look.failures,
        "error": look.error,
        "next": iso(view.next, timezone),
    }


@click.command("show")
@job_argument
@json_option
def show_command(job: str, as_json: bool) -> None:
    """Show one job in full."""
    from rota.app.queries import definition, find_job, job_view, policies, schedules
    from rota.cli.spend import budget_lines

    with workspace() as app:
        record = find_job(app, job)
        view, now = job_view(app, record), app.clock.now()
        words = schedules(app, record)
        if as_json:
            fires = [iso(t, record.timezone) for _, _, times in words for t in times]
            print_json(
                {
                    **_as_json(view),
                    "fires": sorted(f for f in fires if f),
                    **dict(hands_of(app, record)),
                    "definition": definition(record),
                }
            )
            return
        _show_head(record, words, now)
        for number, step in enumerate(definition(record)["steps"], 1):
            named = "" if step["id"] == step["kind"] else f"{step['id']}: "
            click.echo(f"step {number}    {named}{step['kind']} {_brief(step)}")
        for key, meaning in (*policies(record), *budget_lines(app, record)):
            click.echo(f"{key:<9} {meaning}")
        for word, hand in hands_of(app, record):
            click.echo(f"{word.removesuffix('_by').replace('_', ' '):<9} by {hand}")
        if record.paused_at is not None:
            click.echo(f"paused    {record.paused_reason}")
        if view.last_run is not None and view.last_run.state.value == "waiting":
            click.echo(f"waiting   run {view.last_run.id}: {view.last_run.reason.text}")
        if record.error:
            note(f"broken: {record.error} (the last good version is in force)")
        for warning in record.warnings:
            note(f"warning: {warning}")


def _show_head(record: Any, words: Any, now: int) -> None:
    from rota.app.times import local, until

    click.echo(
        f"{record.id}  {paint(record.status)}" + (f"  {record.name}" if record.name != record.id else "")
    )
    if record.description:
        click.echo(record.description)
    click.echo(f"file      {record.path or '(in the store)'}")
    for text, said, times in words:
        click.echo(f"schedule  {text}" + (f"  ({said})" if said and said != text else ""))
        for moment in times:
            click.echo(f"          {local(moment, record.timezone)}  {until(moment, now)}")
    if not words:
        click.echo(f"schedule  {record.schedule or 'manual'}")


def _brief(step: dict[str, Any]) -> str:
    value = step.get("config", {}).get(step["kind"], "")
    text = " ".join(value) if isinstance(value, list) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 70 else text[:69] + "…"


@click.command("edit")
@job_argument
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Set a key (a.b=c for one inside)."
)
@click.option("--unset", multiple=True, metavar="KEY", help="Take a key out.")
def edit_command(job: str, changes: tuple[str, ...], unset: tuple[str, ...]) -> None:
    """Edit a job's file in $EDITOR, or set keys in it; comments and order stay."""
    from rota.app.jobedit import check_edited, path_of, set_job_keys

    with workspace() as app:
        if changes or unset:
            keys = dict(_pair(item) for item in changes) | dict.fromkeys(unset)
            if done_at_the_desk(app, "job_change", job=job, set=keys):
                return
            record = set_job_keys(app, job, keys)
            note(f"Wrote {record.path}.")
            _say_next(app, record.id)
            return
        path = path_of(app, job)
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        subprocess.run([*shlex.split(editor), str(path)], check=False)
        report = check_edited(app)
        for error in report.errors:
            say_error(error)
        if report.errors:
            note("The last good version stays in force until the file is mended.")
            raise SystemExit(1)
        _say_next(app, job)


@click.command("pause")
@job_argument
@click.option("--reason", default="by hand", help="Shown wherever the job is.")
def pause_command(job: str, reason: str) -> None:
    """Let no trigger of a job fire until it is resumed."""
    from rota.app.commands import pause_job

    with workspace() as app:
        if done_at_the_desk(app, "job_pause", job=job, why=reason):
            return
        record = pause_job(app, job, reason)
        note(f"{record.id} is paused: no trigger fires. hint: rota resume {record.id}")


@click.command("resume")
@job_argument
def resume_command(job: str) -> None:
    """Let a paused job go on, from now: what was due meanwhile is not made up for."""
    from rota.app.commands import resume_job

    with workspace() as app:
        if done_at_the_desk(app, "job_resume", job=job):
            return
        record = resume_job(app, job)
        note(f"{record.id} is active again.")
        _say_next(app, record.id)


@click.command("remove")
@job_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def remove_command(job: str, yes: bool) -> None:
    """Remove a job: delete its file. Its history stays."""
    from rota.app.jobedit import path_of, remove_job_file

    with workspace() as app:
        if done_at_the_desk(app, "job_remove", job=job):
            return
        path = app.layout.relative(path_of(app, job))
        if not yes and sys.stdin.isatty() and not click.confirm(f"Delete {path}?", err=True):
            note("Nothing was changed.")
            raise SystemExit(1)
        remove_job_file(app, job)
        note(f"Removed {job} ({path}). Its history stays: rota why {job}")
