"""The inbox: what waits for a person or an agent."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import iso, note, print_json, print_table
from rota.cli.proposals import is_proposal, proposal_json, say_proposals, show_proposal
from rota.model.instants import age

if TYPE_CHECKING:
    from rota.app.inbox import Item
    from rota.app.wiring import App
    from rota.model.message import Approval

_agent = click.option("--agent", metavar="NAME", help="Who works on it: an agent's name; yours unless said.")
_step = click.option("--step", help="Which step, where a run has several questions.")


@click.group("inbox", invoke_without_command=True)
@json_option
@click.pass_context
def inbox_command(ctx: click.Context, as_json: bool) -> None:
    """List what waits for a person or an agent; take a prompt, hand in an answer."""
    if ctx.invoked_subcommand is None:
        _list(as_json)


def _list(as_json: bool) -> None:
    from rota.app.inbox import items
    from rota.app.proposals import open_proposals
    from rota.app.times import ago, until
    from rota.model.message import DECIDED, PROMPT

    with workspace() as app:
        found, now = items(app), app.clock.now()
        proposals = open_proposals(app)
        if as_json:
            print_json([*map(_as_json, found), *map(proposal_json, proposals)])
            return
        if proposals:
            say_proposals(proposals, now)
        if not found:
            if not proposals:
                note("Nothing waits for an answer.")
            return
        rows = [
            [
                *(q.run_id, q.job_id, q.step_id, q.kind, ago(q.asked_at, now)),
                "" if q.expires_at is None else until(q.expires_at, now),
                "" if take is None else f"{take.by}, {age(take.until - now)} left",
                " ".join(q.question.split())[:200],
            ]
            for q, take in ((item.question, item.take) for item in found)
        ]
        headers = ["RUN", "JOB", "STEP", "KIND", "ASKED", "EXPIRES", "TAKEN BY", "QUESTION"]
        print_table(headers, rows, flexible=(6, 7))
        kinds = {item.question.kind for item in found}
        if DECIDED & kinds:
            note(
                "hint: `rota approve RUN`, or `rota deny RUN --reason ...`; `rota inbox show RUN` prints it all"
            )
        if PROMPT in kinds:
            note(
                "hint: `rota inbox take` takes the oldest prompt and prints it; `rota inbox done RUN --output FILE` "
                "hands in the answer"
            )
        if kinds - DECIDED - {PROMPT}:
            note(
                "hint: `rota inbox show RUN` prints the whole of it; `rota inbox answer RUN --text ...` answers"
            )


def _as_json(item: Item) -> dict[str, Any]:
    question, take = item.question, item.take
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
        "taken_by": None if take is None else take.by,
        "taken_until": None if take is None else iso(take.until),
    }


@inbox_command.command("show")
@click.argument("run", metavar="RUN|PROPOSAL")
def show(run: str) -> None:
    """Print the question (a whole prompt) that a run waits on; of an agent's proposal, all that would change."""
    from rota.app.answers import then
    from rota.app.queries import find_run, questions_of
    from rota.app.times import local
    from rota.model.errors import ConflictError

    with workspace() as app:
        if is_proposal(run):
            show_proposal(app, run)
            return
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
@_step
def answer(run: str, choice: str | None, text: str | None, file: Path | None, step: str | None) -> None:
    """Answer what a run waits on: a CHOICE, --text, --file, or stdin. The run then goes on."""
    from rota.app.answers import answer as give

    given = [value for value in (choice, text, file) if value is not None]
    if len(given) > 1:
        raise click.UsageError(
            "give one of CHOICE, --text, --file\nhint: rota inbox answer RUN --file answer.md"
        )
    reply = _reply(choice if text is None else text, file, "rota inbox answer RUN --text '...' (or --file")
    with workspace() as app:
        question = give(app, run, reply, step=step)
        _go_on(app, question)


@inbox_command.command("take")
@click.argument("run", metavar="[JOB|RUN]", required=False)
@_agent
@click.option(
    "--for", "span", metavar="DURATION", help="How long nobody else gets it: 30m, 4h; 1h unless said."
)
@click.option("--again", is_flag=True, help="Go on with what you took: print it again, for another while.")
@click.option("--release", is_flag=True, help="Give back what was taken, so that others can take it.")
@_step
@json_option
def take(
    run: str | None,
    agent: str | None,
    span: str | None,
    again: bool,
    release: bool,
    step: str | None,
    as_json: bool,
) -> None:
    """Take the oldest prompt (or that of RUN) and print it; nobody else gets it for an hour."""
    from rota.app import inbox
    from rota.app.answers import user
    from rota.app.times import local

    if release and (again or span is not None):
        raise click.UsageError("--release goes alone\nhint: rota inbox take RUN --release")
    by = agent or user()
    with workspace() as app:
        if release:
            for freed in inbox.release(app, run, by, step=step):
                note(f"Run {freed.run_id} is free again; {freed.by} had it.")
            return
        lease = inbox.LEASE if span is None else inbox.lease_of(span)
        taken = inbox.take(app, run, by, step=step, span=lease, again=again)
        if as_json:
            print_json(_as_json(taken))
            return
        question = taken.question
        click.echo(question.question)
        until = local(taken.take.until, app.config.timezone) if taken.take is not None else ""
        note(
            f"Run {question.run_id} of {question.job_id}, step {question.step_id}: yours ({by}) until {until}."
        )
        name = f" --agent {shlex.quote(agent)}" if agent else ""
        note(
            f"hint: rota inbox done {question.run_id}{name} --output FILE hands in the answer; "
            f"rota inbox take {question.run_id}{name} --again keeps it longer, --release gives it back"
        )


@inbox_command.command("done")
@click.argument("run", metavar="JOB|RUN")
@click.option(
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file with the answer.",
)
@click.option("--text", help="The answer itself.")
@_agent
@_step
def done(run: str, file: Path | None, text: str | None, agent: str | None, step: str | None) -> None:
    """Hand in the answer to a prompt: --output FILE, --text, or stdin. The run then goes on."""
    from rota.app import inbox
    from rota.app.answers import user

    if file is not None and text is not None:
        raise click.UsageError("give one of --output, --text\nhint: rota inbox done RUN --output answer.md")
    reply = _reply(text, file, "rota inbox done RUN --output answer.md (or --text")
    with workspace() as app:
        question = inbox.done(app, run, reply, agent or user(), step=step)
        _go_on(app, question)


def _reply(text: str | None, file: Path | None, how: str) -> str:
    """The answer as it was given: in an option, a file, or on stdin."""
    if file is not None:
        return file.read_text("utf-8", "replace")
    if text is not None:
        return text
    if sys.stdin.isatty():
        raise click.UsageError(f"there is no answer\nhint: {how}, or stdin)")
    return sys.stdin.read()


def _go_on(app: App, question: Approval) -> None:
    """Say that it was answered; without a daemon the run goes on right here."""
    from rota.app.control import running_daemon
    from rota.cli.runs import say_end, watch

    note(f"Answered. Run {question.run_id} of {question.job_id} goes on.")
    if running_daemon(app.layout) is None:
        say_end(watch(app, question.run_id, here=True))
