"""The inbox: what waits for a person or an agent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import iso, note, print_json, print_table


@click.group("inbox", invoke_without_command=True)
@json_option
@click.pass_context
def inbox_command(ctx: click.Context, as_json: bool) -> None:
    """List what waits for a person or an agent; `rota inbox answer RUN` answers it."""
    if ctx.invoked_subcommand is None:
        _list(as_json)


def _list(as_json: bool) -> None:
    from rota.app.queries import inbox
    from rota.app.times import ago, until
    from rota.model.message import DECIDED

    with workspace() as app:
        questions, now = inbox(app), app.clock.now()
        if as_json:
            print_json([_as_json(question) for question in questions])
            return
        if not questions:
            note("Nothing waits for an answer.")
            return
        rows = [
            [
                *(q.run_id, q.job_id, q.step_id, q.kind, ago(q.asked_at, now)),
                "" if q.expires_at is None else until(q.expires_at, now),
                " ".join(q.question.split())[:200],
            ]
            for q in questions
        ]
        print_table(["RUN", "JOB", "STEP", "KIND", "ASKED", "EXPIRES", "QUESTION"], rows, flexible=(6,))
        kinds = {q.kind for q in questions}
        if DECIDED & kinds:
            note(
                "hint: `rota approve RUN`, or `rota deny RUN --reason ...`; `rota inbox show RUN` prints it all"
            )
        if kinds - DECIDED:
            note(
                "hint: `rota inbox show RUN` prints the whole of it; `rota inbox answer RUN --text ...` answers"
            )


def _as_json(question: Any) -> dict[str, Any]:
    return {
        "run": question.run_id,
        "job": question.job_id,
        "step": question.step_id,
        "kind": question.kind,
        "question": question.question,
        "choices": list(question.choices),
        "asked_at": iso(question.asked_at),
        "preview": question.preview,
        "expires_at": iso(question.expires_at),
        "default": question.fallback,
        "on_deny": question.on_deny,
    }


@inbox_command.command("show")
@click.argument("run")
def show(run: str) -> None:
    """Print the question (a whole prompt) that a run waits on."""
    from rota.app.answers import then
    from rota.app.queries import find_run, questions_of
    from rota.app.times import local
    from rota.model.errors import ConflictError

    with workspace() as app:
        questions = questions_of(app, run)
        if not questions:
            found = find_run(app, run)
            raise ConflictError(
                f"run {found.id} waits for no answer ({found.state.value})", hint="see `rota inbox`"
            )
        for question in questions:
            note(f"{question.job_id} {question.run_id} step {question.step_id} ({question.kind})")
            click.echo(question.question)
            if question.preview:
                click.echo(f"\n{question.preview}")
            if question.expires_at is not None:
                zone = app.config.timezone
                note(f"until {local(question.expires_at, zone)}: {then(question)}")
            if question.choices:
                note(f"choices: {', '.join(question.choices)}")


@inbox_command.command("answer")
@click.argument("run")
@click.argument("choice", required=False)
@click.option("--text", help="The answer itself.")
@click.option(
    "--file", "file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A file with it."
)
@click.option("--step", help="Which step, where a run has several questions.")
def answer(run: str, choice: str | None, text: str | None, file: Path | None, step: str | None) -> None:
    """Answer what a run waits on: a CHOICE, --text, --file, or stdin. The run then goes on."""
    from rota.app.answers import answer as give
    from rota.app.control import running_daemon
    from rota.cli.runs import say_end, watch

    given = [value for value in (choice, text, file) if value is not None]
    if len(given) > 1:
        raise click.UsageError(
            "give one of CHOICE, --text, --file\nhint: rota inbox answer RUN --file answer.md"
        )
    if file is not None:
        reply = file.read_text("utf-8")
    elif given:
        reply = choice or text or ""
    elif sys.stdin.isatty():
        raise click.UsageError(
            "there is no answer\nhint: rota inbox answer RUN --text '...' (or --file, or stdin)"
        )
    else:
        reply = sys.stdin.read()
    with workspace() as app:
        question = give(app, run, reply, step=step)
        note(f"Answered. Run {question.run_id} of {question.job_id} goes on.")
        if running_daemon(app.layout) is None:
            ended = watch(app, question.run_id, here=True)
            say_end(ended)
