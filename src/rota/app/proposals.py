"""Proposals of agents as people see them: listed, shown with what would change, approved, denied."""

from __future__ import annotations

from functools import partial

from rota.app.control import nudge
from rota.app.deeds import finish, one_at_a_time, settle
from rota.app.proposal_cards import put_away
from rota.app.proposing import require_open
from rota.app.wiring import App
from rota.engine.questions import usual_choice
from rota.model.errors import NotFoundError, RotaError
from rota.model.ledger import Event
from rota.model.message import DENY
from rota.model.proposal import Deed, Proposal, ProposalState, proposal_number
from rota.ports.store import Tx

_LONGEST_ANSWER = 500
QUESTION_CHOICES = ("yes", "no")


def open_proposals(app: App) -> list[Proposal]:
    """What waits for a person, oldest first."""
    settle(app)
    pending = app.store.read(lambda tx: tx.proposals.pending())
    return [proposal for proposal in pending if proposal.state is ProposalState.OPEN]


def find_proposal(app: App, text: str) -> Proposal:
    """The proposal of that id (`P-12`). Raises NotFoundError."""
    number = proposal_number(text)
    found = None if number is None else app.store.read(lambda tx: tx.proposals.get(number))
    if found is None:
        raise NotFoundError(f"there is no proposal `{text}`", hint="see `rota inbox`")
    return found


def approve_proposal(
    app: App, text: str, *, by: str, choice: str | None = None, reason: str | None = None
) -> Proposal:
    """Have it done, exactly as it is shown. Raises NotFoundError; ConflictError where it is decided, or the file is another."""
    with one_at_a_time(app):
        proposal = find_proposal(app, text)
        require_open(proposal)
        if proposal.deed is Deed.QUESTION:
            return _answer(app, proposal, choice, by, reason)
        if choice is not None and choice != "approve":
            raise RotaError(f"{proposal.id} has no choices", hint=f"rota approve {proposal.id}")
        _move(app, proposal, ProposalState.APPLYING, by, reason)
        finish(app, find_proposal(app, text))
        return find_proposal(app, text)


def deny_proposal(app: App, text: str, *, by: str, reason: str) -> Proposal:
    """Refuse it; the same is not asked again soon. Raises NotFoundError, ConflictError."""
    with one_at_a_time(app):
        proposal = find_proposal(app, text)
        require_open(proposal)
        _move(app, proposal, ProposalState.DENIED, by, reason)
        nudge(app.layout)
        return find_proposal(app, text)


def _answer(app: App, proposal: Proposal, choice: str | None, by: str, reason: str | None) -> Proposal:
    choices = tuple(proposal.detail.get("choices") or QUESTION_CHOICES)
    reply = choice or usual_choice(tuple(DENY if one == "no" else one for one in choices))
    if reply is None or reply not in choices:
        said = "which of its choices?" if reply is None else f"{reply!r} is not one of the choices"
        raise RotaError(
            said, hint=f"rota approve {proposal.id} --choice '{choices[0]}' (or {', '.join(choices[1:])})"
        )
    answer = f"{reply}: {reason}" if reason else reply
    _move(app, proposal, ProposalState.APPLIED, by, answer)
    nudge(app.layout)
    return find_proposal(app, proposal.id)


def _move(app: App, proposal: Proposal, state: ProposalState, by: str, answer: str | None) -> None:
    words = " ".join((answer or "").split())[:_LONGEST_ANSWER] or None
    write = partial(
        _written, app=app, proposal=proposal, state=state, by=by, answer=words, now=app.clock.now()
    )
    app.store.write_now(write)


def _written(
    tx: Tx, *, app: App, proposal: Proposal, state: ProposalState, by: str, answer: str | None, now: int
) -> None:
    if tx.proposals.move(proposal.number, ProposalState.OPEN, state, now, by=by, answer=answer):
        about = {"proposal": proposal.number, "state": state.value, "by": by}
        if state is not ProposalState.APPLYING:
            put_away(tx, app, proposal, by, now)
        tx.events.append(Event("proposal_decided", now, proposal.job_id, proposal.actor.run, about))
