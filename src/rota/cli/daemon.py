"""The daemon: up, down, status, tick."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from rota.cli.errors import hint_of
from rota.cli.opening import json_option, workspace
from rota.cli.output import iso, note, paint, print_json

READY_WITHIN = 60.0
DOWN_WITHIN = 60.0
ENDED_WITHIN = 5.0  # of its lock given up


@click.command("up")
@click.option("--background", "-b", is_flag=True, help="Return once it runs.")
@click.option(
    "--port", type=click.IntRange(0, 65535), envvar="ROTA_PORT",
    help="Port of the HTTP door.  [default: 8765]",
)  # fmt: skip
@click.option("--host", metavar="ADDRESS", help="Address of the HTTP door.  [default: 127.0.0.1]")
@click.option("--no-web", is_flag=True, help="Open no HTTP door.")
def up_command(background: bool, port: int | None, host: str | None, no_web: bool) -> None:
    """Run the daemon on this workspace, until Ctrl-C (or in the background, until `rota down`)."""
    overrides = {"port": port, "host": host, "on": False if no_web else None}
    with workspace(fresh=False) as app:
        if background:
            options = [
                f"--{key}={value}" for key, value in (("port", port), ("host", host)) if value is not None
            ]
            _start_in_background(app, [*options, *(["--no-web"] if no_web else [])])
            return
        _serve(app, overrides)


def _serve(app: Any, overrides: dict[str, Any]) -> None:
    import asyncio

    from rota.app.daemon import Daemon
    from rota.app.ready import make_ready

    make_ready(app.layout)
    # Not in `ready`: that is called in a thread, while the loop imports what it needs.
    from rota.app.queries import status
    from rota.web.door import Door

    def ready() -> None:
        view = status(app)
        jobs = ", ".join(f"{count} {state}" for state, count in sorted(view.jobs.items())) or "no jobs yet"
        note(f"rota runs on {app.layout.root} ({view.timezone}): {jobs}. Ctrl-C ends it.")
        if view.door is not None and view.door.state != "off":
            note(f"web        {_door_words(view.door)}")
        for line in (*_next_lines(app, view), *_problem_lines(view)):
            note(line)

    def report(changes: Any) -> None:
        for verb, ids in (
            ("added", changes.added),
            ("changed", changes.changed),
            ("removed", changes.removed),
        ):
            if ids:
                note(f"{verb}: {', '.join(ids)}")
        for error in changes.errors:
            note(f"broken: {error}\nhint: {hint_of(error)}")

    door = Door(app, overrides)
    asyncio.run(Daemon(app, door, on_ready=ready, on_report=report, echo=sys.stderr.isatty()).run())
    note("rota has stopped.")


def _start_in_background(app: Any, options: list[str]) -> None:
    from rota.app.control import running_daemon
    from rota.model.errors import ConflictError, RotaError

    already = running_daemon(app.layout)
    if already is not None:
        raise ConflictError(
            f"a daemon is running on {app.layout.root} already (pid {already.pid})",
            hint="see `rota status`; stop it with `rota down`",
        )
    app.layout.logs.mkdir(parents=True, exist_ok=True)
    output = app.layout.logs / "daemon.out"
    with output.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "rota", "-w", str(app.layout.root), "up", *options],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            cwd=app.layout.root,
        )  # fmt: skip
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        info = running_daemon(app.layout)
        if info is not None and info.pid == child.pid and b"rota runs on" in output.read_bytes():
            note(output.read_text("utf-8", "replace").strip().replace(" Ctrl-C ends it.", ""))
            note(f"It runs in the background (pid {child.pid}). hint: `rota status`, `rota down`")
            return
        if child.poll() is not None:
            raise RotaError(
                f"the daemon did not start: {_last_word(output) or f'it ended with {child.returncode}'}",
                hint=f"see {output}",
            )
        time.sleep(0.03)
    raise RotaError(
        f"the daemon (pid {child.pid}) goes on starting, but is not ready after {READY_WITHIN:.0f} seconds",
        hint=f"ask `rota status` in a while; see {app.layout.logs / 'daemon.log'}",
    )


def _last_word(output: Path) -> str:
    """What a daemon said at its end, without the hint: that one is about this command's own trouble."""
    said = [line for line in output.read_text("utf-8", "replace").splitlines() if line.strip()]
    spoken = [line.removeprefix("rota: ") for line in said if not line.startswith("hint: ")]
    return spoken[-1] if spoken else ""


@click.command("down")
def down_command() -> None:
    """Stop the daemon: nothing new is started, what runs gets `shutdown_grace`."""
    from rota.app.control import running_daemon
    from rota.model.errors import NotFoundError, RotaError

    with workspace(fresh=False) as app:
        info = running_daemon(app.layout)
        if info is None or info.pid == 0:
            raise NotFoundError("no daemon is running on this workspace", hint="start one with `rota up`")
        os.kill(info.pid, signal.SIGTERM)
        deadline = time.monotonic() + DOWN_WITHIN + app.config.shutdown_grace
        told = False
        while running_daemon(app.layout) is not None:
            if time.monotonic() > deadline:
                raise RotaError(
                    f"the daemon (pid {info.pid}) is still running", hint="see .rota/logs/daemon.log"
                )
            if not told and time.monotonic() > deadline - DOWN_WITHIN - app.config.shutdown_grace + 1:
                note("Waiting for what runs ...")
                told = True
            time.sleep(0.03)
        _await_end(info.pid)
        note("The daemon has stopped.")


def _await_end(pid: int) -> None:
    """Wait for a process that has given up the lock: it still closes the state. An end that nobody took note of is one."""
    import psutil

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        deadline = time.monotonic() + ENDED_WITHIN
        while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.01)


@click.command("status")
@json_option
def status_command(as_json: bool) -> None:
    """Show the workspace at a glance: the daemon, the jobs, what runs, what is wrong."""
    from rota.app.queries import status
    from rota.app.times import ago

    with workspace() as app:
        view, now = status(app), app.clock.now()
        if as_json:
            print_json(_status_json(view))
            return
        click.echo(f"workspace  {view.name} ({view.workspace}, {view.timezone})")
        if view.daemon is not None:
            click.echo(
                f"daemon     running (pid {view.daemon['pid']}, started {ago(view.daemon['started_at'], now)})"
            )
        else:
            last = view.last_daemon
            seen = f"; the last one was seen {ago(last.stopped_at or last.seen_at, now)}" if last else ""
            click.echo(f"daemon     not running{seen}. hint: rota up")
        if view.door is not None:
            click.echo(f"web        {_door_words(view.door)}")
        jobs = ", ".join(f"{count} {paint(state)}" for state, count in sorted(view.jobs.items()))
        click.echo(f"jobs       {jobs or 'none yet'}")
        for use in view.budgets:
            click.echo(f"budget     {use.words}{', used up' if use.up else ''}")
        for run in view.active:
            why = "" if run.state.value == "running" else f"  {run.reason.text}"
            if run.id in view.orphans:
                why = "  its process has ended; it goes on at `rota up`"
            click.echo(f"{paint(f'{run.state.value:<10}')} {run.job_id}  {run.id}{why}")
        for line in (*_next_lines(app, view), *_problem_lines(view)):
            click.echo(line)


def _door_words(door: Any) -> str:
    if door.state == "off":
        return "off"
    return str(door.url) if door.state == "open" else f"closed: {door.error}. hint: {door.hint}"


def _next_lines(app: Any, view: Any) -> Iterator[str]:
    from rota.app.times import upcoming

    if view.next_due is not None:
        job_id, moment = view.next_due
        yield f"next       {job_id} {upcoming(moment, app.config.timezone, app.clock.now())}"


def _problem_lines(view: Any) -> Iterator[str]:
    for file in view.broken:
        place = file.path + (f":{file.line}" if file.line else "")
        yield f"broken     {place}: {file.error}"
    for error in view.settings_errors:
        yield f"settings   {error}"
    for message in view.undelivered:
        state = "given up" if message.state.value == "failed" else "to be tried again"
        yield f"message    {message.channel} of {message.job_id} ({state}): {message.error}"
    for look in view.failing:
        yield f"source     {look.record.text} of {look.record.job_id} fails: {look.record.error}"
    if view.questions:
        count = len(view.questions)
        yield f"inbox      {count} question{'s' if count > 1 else ''} waiting. hint: rota inbox"
    if view.broken or view.settings_errors:
        yield "hint: `rota check` says how to mend it; the last good version stays in force"


def _status_json(view: Any) -> dict[str, Any]:
    from rota.cli.spend import budget_json

    return {
        "workspace": str(view.workspace),
        "name": view.name,
        "timezone": view.timezone,
        "daemon": view.daemon and {**view.daemon, "started_at": iso(view.daemon["started_at"])},
        "web": view.door and {"state": view.door.state, "url": view.door.url, "error": view.door.error},
        "jobs": dict(view.jobs),
        "active": [
            {"id": r.id, "job": r.job_id, "state": r.state.value, "reason": r.reason.text}
            for r in view.active
        ],
        "next": view.next_due and {"job": view.next_due[0], "due_at": iso(view.next_due[1])},
        "broken": [{"path": f.path, "line": f.line, "error": f.error, "hint": f.hint} for f in view.broken],
        "settings_errors": list(view.settings_errors),
        "undelivered": [{"job": m.job_id, "channel": m.channel, "error": m.error} for m in view.undelivered],
        "failing_sources": [
            {"job": one.record.job_id, "source": one.record.text, "error": one.record.error}
            for one in view.failing
        ],
        "questions": len(view.questions),
        "budgets": [budget_json(use) for use in view.budgets],
    }


@click.command("tick")
def tick_command() -> None:
    """One pass without a daemon: run what is due, deliver messages, then end. Safe beside a daemon."""
    import asyncio

    from rota.app.foreground import tick

    with workspace(fresh=False) as app:
        say_ticked(asyncio.run(tick(app)))


def say_ticked(runs: list[Any]) -> None:
    """What a pass did; exit code 1 when a run failed."""
    for run in runs:
        why = "" if run.state.value == "succeeded" else f": {run.reason.text}"
        click.echo(f"{run.job_id} {run.state.value}{why} ({run.id})")
    if not runs:
        note("Nothing was due.")
    if any(run.state.value == "failed" for run in runs):
        raise SystemExit(1)
