"""What an agent wants done, judged: done at once, put before a person, or refused; and written down in any case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from rota.app.control import nudge
from rota.app.deeds import by_agent, finish, one_at_a_time
from rota.app.diffs import diff_of
from rota.app.proposal_cards import put_card
from rota.app.times import local
from rota.app.wiring import App
from rota.engine.notices import channel_of
from rota.engine.output import Masker, masked_value
from rota.model.agent import Actor
from rota.model.errors import ConflictError, RotaError
from rota.model.instants import DAY, Micros
from rota.model.ledger import Event, JobRecord
from rota.model.message import Message
from rota.model.proposal import POLICY, Deed, Proposal, ProposalState, Rule
from rota.planning.agents import Facts, Ruling, judge
from rota.ports.store import Tx

# How long a proposal waits for a person, and how long a denial holds.
EXPIRES = 14 * DAY
DENIED_FOR = 30 * DAY
AT_MOST_OPEN = 200
_FILES = {Deed.CREATE, Deed.CHANGE, Deed.REMOVE}


class DeniedError(RotaError):
    """Refused by the workspace's policy, or by a person before."""

    code = "denied"


def submit(app: App, wish: Proposal) -> Proposal:
    """The wish as it was recorded: applied where the policy allows it, open where a person decides.

    Raises DeniedError; RotaError for what cannot be done.
    """
    with one_at_a_time(app):
        ruling = ruling_for(app, wish)
        if ruling.rule is Rule.DENY:
            raise DeniedError(ruling.why, hint="tell the person what you would have done, and go on")
        now = app.clock.now()
        wish = _masked(app, wish)
        stored = app.store.write_now(partial(_record, app=app, wish=wish, ruling=ruling, now=now))
        if stored.state is ProposalState.APPLYING:
            return replace(stored, result=finish(app, stored), state=ProposalState.APPLIED)
    nudge(app.layout)
    return stored


def _masked(app: App, wish: Proposal) -> Proposal:
    """The wish as the state may keep it: an agent may have read a secret, and say it."""
    masker = Masker(app.secrets.known())
    detail = masked_value(dict(wish.detail), masker)
    return replace(wish, title=masker.mask_text(wish.title), why=masker.mask_text(wish.why), detail=detail)


def ruling_for(app: App, wish: Proposal) -> Ruling:
    """What the policy says to a wish."""
    record, depth = app.store.read(partial(_about, wish=wish))
    facts = Facts(
        own=wish.job_id is not None and wish.actor.job == wish.job_id,
        by_agent=record is not None and record.created_by is not None,
        removed_by_person=record is not None and record.removed_at is not None and record.removed_by is None,
        depth=depth,
    )
    return judge(app.config.agents, wish.deed, facts)


def depth_of(tx: Tx, actor: Actor) -> int:
    """How many runs led to the one that the agent works in."""
    run = None if actor.run is None else tx.runs.get(actor.run)
    return 0 if run is None else int(run.inputs.get("depth", 0)) + 1


def _about(tx: Tx, wish: Proposal) -> tuple[JobRecord | None, int]:
    record = None if wish.job_id is None else tx.jobs.get(wish.job_id)
    return record, max(0, depth_of(tx, wish.actor) - 1)


def _record(tx: Tx, app: App, wish: Proposal, ruling: Ruling, now: Micros) -> Proposal:
    earlier = _same_before(tx, wish, now)
    if earlier is not None and earlier.state is ProposalState.OPEN:
        return earlier
    if earlier is not None:
        why = f": {earlier.answer}" if earlier.answer else ""
        when = local(earlier.decided_at or now, app.config.timezone)
        raise DeniedError(
            f"{earlier.decided_by} denied just this on {when} ({earlier.id}){why}",
            hint="do not ask again; if something has changed, say so to the person",
        )
    _check_limits(tx, app, wish, now)
    allowed = ruling.rule is Rule.ALLOW
    stored = replace(
        wish,
        asked_at=now,
        state=ProposalState.APPLYING if allowed else ProposalState.OPEN,
        expires_at=None if allowed else now + EXPIRES,
        decided_at=now if allowed else None,
        decided_by=POLICY if allowed else None,
        detail={**wish.detail, "note": ruling.why} if ruling.why else wish.detail,
    )
    stored = replace(stored, number=tx.proposals.add(stored))
    about = {"proposal": stored.number, "deed": stored.deed.value, "agent": stored.actor.name}
    tx.events.append(Event("proposal_made", now, stored.job_id, stored.actor.run, about))
    if not allowed:
        put_card(tx, app, stored, diff_of(stored))
    for message in _messages(app, stored):
        tx.outbox.add(message)
    return stored


def _same_before(tx: Tx, wish: Proposal, now: Micros) -> Proposal | None:
    """The same wish that is open, or that a person denied not long ago."""
    if wish.deed is Deed.NOTIFY:
        return None
    found = tx.proposals.recent(AT_MOST_OPEN, job_id=wish.job_id)
    for other in found:
        same = (other.deed, other.job_id, other.after) == (wish.deed, wish.job_id, wish.after)
        if wish.deed in {Deed.QUESTION, Deed.RUN}:
            same = same and (other.title, other.detail.get("params")) == (
                wish.title,
                wish.detail.get("params"),
            )
        if same and other.state is ProposalState.OPEN:
            return other
        lately = (other.decided_at or 0) > now - DENIED_FOR
        if same and other.state is ProposalState.DENIED and lately and other.deed in _FILES:
            return other
    return None


def _check_limits(tx: Tx, app: App, wish: Proposal, now: Micros) -> None:
    policy = app.config.agents
    if tx.proposals.since(now - DAY) >= policy.max_per_day:
        raise DeniedError(
            f"agents did or proposed {policy.max_per_day} things in the last 24 hours already, which is all they may",
            hint="wait; or a person raises `agents: {max_per_day: ...}` in rota.yaml",
        )
    if wish.deed is not Deed.CREATE:
        return
    pending = sum(one.deed is Deed.CREATE for one in tx.proposals.pending())
    if tx.jobs.made_by_agents() + pending >= policy.max_jobs:
        raise DeniedError(
            f"there are {policy.max_jobs} jobs made (or proposed) by agents already, which is all that there may be",
            hint="remove one that is not needed any more; or a person raises `agents: {max_jobs: ...}`",
        )


def _messages(app: App, proposal: Proposal) -> Sequence[Message]:
    """What people are told at once: that they are to decide, or what an agent has to say."""
    if proposal.deed is Deed.NOTIFY:
        wanted = proposal.detail.get("channel")
        places = [n for n in app.config.notify if wanted in {None, n.type}]
        title, body = proposal.title, str(proposal.detail.get("message", ""))
        body += f"\n\n(sent {by_agent(proposal.actor)})"
    elif proposal.state is ProposalState.OPEN:
        places = list(app.config.notify)
        title, body = f"{proposal.actor.name}: {proposal.title}", _to_decide(app, proposal)
    else:
        return ()
    return [
        Message(
            key=f"proposal:{proposal.number}:{index}",
            channel=kind,
            title=title[:200],
            body=body,
            config=settings,
            created_at=proposal.asked_at,
            not_before=proposal.asked_at,
            job_id=None,
        )
        for index, (kind, settings) in enumerate(channel_of(notify, app.config) for notify in places)
    ]


def _to_decide(app: App, proposal: Proposal) -> str:
    lines = [f"{proposal.title}, asked {by_agent(proposal.actor)}."]
    lines += [proposal.why] if proposal.why else []
    lines += [str(proposal.detail["note"]).capitalize() + "."] if proposal.detail.get("note") else []
    fires = [local(int(moment), app.config.timezone) for moment in proposal.detail.get("fires", ())]
    lines += [f"It would run next: {'; '.join(fires[:3])}."] if fires else []
    choices = proposal.detail.get("choices") or ()
    lines += [f"Choices: {', '.join(choices)} (rota approve {proposal.id} --choice ...)."] if choices else []
    lines.append(
        f"See it: rota inbox show {proposal.id}\nDecide: rota approve {proposal.id}, or rota deny {proposal.id} --reason ..."
    )
    return "\n\n".join(lines)


def require_open(proposal: Proposal) -> None:
    """Raise ConflictError where it is decided about already."""
    if proposal.state is not ProposalState.OPEN:
        raise ConflictError(
            f"{proposal.id} is {proposal.state.value} already, by {proposal.decided_by or 'nobody'}",
            hint=f"see `rota inbox show {proposal.id}`",
        )
