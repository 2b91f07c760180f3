"""Approvals: answer the question that a run waits on."""

from __future__ import annotations

import click

from rota.cli.by_agent import refuse_agents
from rota.cli.opening import complete_job, workspace
from rota.cli.output import note
from rota.cli.proposals import approve, deny, is_proposal

_run = click.argument("run", metavar="JOB|RUN|PROPOSAL", shell_complete=complete_job)
_step = click.option("--step", help="Which step, where a run has several questions.")


@click.command("approve")
@_run
@click.option("--choice", metavar="X", help="One of its choices; without it the one that is no denial.")
@click.option("--reason", metavar="TEXT", help="Why; later steps see it.")
@_step
def approve_command(run: str, choice: str | None, reason: str | None, step: str | None) -> None:
    """Approve what a run asks; the run goes on. A job's id will do while one of its runs waits.

    `rota approve P-12` has an agent's proposal done, exactly as `rota inbox show P-12` shows it.
    """
    if is_proposal(run):
        approve(run, choice, reason)
        return
    _decide(run, choice, reason, step)


@click.command("deny")
@_run
@click.option("--reason", metavar="TEXT", required=True, help="Why; the run shows it.")
@_step
def deny_command(run: str, reason: str, step: str | None) -> None:
    """Deny what a run asks: it fails, or does what its `on_deny:` says. `rota deny P-12`: what an agent proposes."""
    from rota.model.message import DENY

    if not reason.strip():
        raise click.UsageError("the reason is empty\nhint: rota deny RUN --reason 'not this week'")
    if is_proposal(run):
        deny(run, reason)
        return
    _decide(run, DENY, reason, step)


def _decide(run: str, choice: str | None, reason: str | None, step: str | None) -> None:
    from rota.app.answers import approve, user
    from rota.app.control import running_daemon
    from rota.cli.runs import say_end, watch
    from rota.model.message import DENY, OnDeny

    with workspace() as app:
        refuse_agents(app)
        question, reply = approve(app, run, choice, reason=reason, step=step, by=user())
        said = "Denied" if reply == DENY else "Approved" if reply == "approve" else f"Answered with {reply}"
        ends = reply == DENY and question.on_deny is OnDeny.FAIL
        note(f"{said}. Run {question.run_id} of {question.job_id} {'fails' if ends else 'goes on'}.")
        if running_daemon(app.layout) is None:
            say_end(watch(app, question.run_id, here=True))
