"""What agents propose, for people: in the inbox, in full, and decided about."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from rota.cli.output import iso, note, print_table

if TYPE_CHECKING:
    from rota.app.wiring import App
    from rota.model.ledger import JobRecord
    from rota.model.proposal import Proposal

_ID = re.compile(r"[Pp]-[0-9]+")


def is_proposal(text: str) -> bool:
    """Whether it is the id of a proposal, and so of no run and no job."""
    return _ID.fullmatch(text) is not None


def say_proposals(proposals: Sequence[Proposal], now: int) -> None:
    """The open ones as a table."""
    from rota.app.times import ago, until

    rows = [
        [
            *(one.id, one.actor.name, ago(one.asked_at, now)),
            "" if one.expires_at is None else until(one.expires_at, now),
            " ".join((f"{one.title}: {one.why}" if one.why else one.title).split())[:200],
        ]
        for one in proposals
    ]
    print_table(["PROPOSAL", "AGENT", "ASKED", "EXPIRES", "WHAT"], rows, flexible=(4,))
    note("hint: `rota inbox show P-...`, then `rota approve P-...`, or `rota deny P-... --reason ...`")


def proposal_json(one: Proposal) -> dict[str, Any]:
    """A proposal beside the questions of runs."""
    return {
        "proposal": one.id,
        "kind": one.deed.value,
        "job": one.job_id,
        "question": one.title,
        "why": one.why,
        "note": one.detail.get("note"),
        "agent": {key: value for key, value in vars(one.actor).items() if value is not None},
        "state": one.state.value,
        "file": one.path,
        "before": one.before,
        "after": one.after,
        "fires": [iso(moment) for moment in one.detail.get("fires", ())],
        "choices": list(one.detail.get("choices") or ()),
        "asked_at": iso(one.asked_at),
        "expires_at": iso(one.expires_at),
        "decided_by": one.decided_by,
        "answer": one.answer,
        "result": one.result,
    }


def show_proposal(app: App, text: str) -> None:
    """All of one: who, why, what would change, and when it would run."""
    from rota.app.deeds import by_agent
    from rota.app.diffs import diff_of
    from rota.app.proposals import find_proposal
    from rota.app.times import local

    one = find_proposal(app, text)
    zone = app.config.timezone
    note(f"{one.id} ({one.state.value}) {by_agent(one.actor)}, {local(one.asked_at, zone)}")
    click.echo(one.title)
    if one.why:
        click.echo(f"why: {one.why}")
    if one.detail.get("note"):
        click.echo(f"note: {one.detail['note']}")
    params = one.detail.get("params") or {}
    for name, value in params.items():
        click.echo(f"parameter {name}: {value}")
    if diff := diff_of(one):
        click.echo(f"\n{diff}\n")
    for moment in one.detail.get("fires", ()):
        click.echo(f"would run {local(int(moment), zone)}")
    if choices := one.detail.get("choices"):
        note(f"choices: {', '.join(choices)}")
    if one.decided_by is not None:
        said = f": {one.answer}" if one.answer else ""
        note(f"{one.state.value}, decided by {one.decided_by}{said}. {one.result}".rstrip())
    elif one.expires_at is not None:
        note(f"until {local(one.expires_at, zone)}: without a decision by then nothing is done")


def approve(text: str, choice: str | None, reason: str | None) -> None:
    """Have it done."""
    from rota.app.answers import user
    from rota.app.proposals import approve_proposal
    from rota.cli.opening import workspace

    _not_in_a_run()
    with workspace() as app:
        done = approve_proposal(app, text, by=user(), choice=choice, reason=reason)
        note(f"Approved: {done.title}. {done.result or done.answer or ''}".rstrip())


def deny(text: str, reason: str) -> None:
    """Refuse it."""
    from rota.app.answers import user
    from rota.app.proposals import deny_proposal
    from rota.cli.opening import workspace

    _not_in_a_run()
    with workspace() as app:
        done = deny_proposal(app, text, by=user(), reason=reason)
        note(f"Denied: {done.title}.")


def _not_in_a_run() -> None:
    """A run that rota started is no person."""
    from rota.model.errors import RotaError

    if os.environ.get("ROTA_RUN_ID"):
        raise RotaError(
            "this is a run of rota's: it cannot decide about what agents propose",
            hint="a person does, at a terminal of their own",
            code="denied",
        )


def hands_of(app: App, record: JobRecord) -> Iterator[tuple[str, str]]:
    """By which agents a job became what it is: (`made by`, `claude, run r-1 (P-12, approved by eve)`)."""
    from rota.app.hands import hand_of
    from rota.model.proposal import POLICY

    for word, number in (("made_by", record.created_by), ("changed_by", record.changed_by)):
        one = hand_of(app, number)
        if one is not None:
            run = f" in run {one.actor.run}" if one.actor.run else ""
            by = "the policy allowed it" if one.decided_by == POLICY else f"approved by {one.decided_by}"
            yield word, f"the agent {one.actor.name}{run} ({one.id}, {by})"
