"""Carrying out what an agent wants, once it may: whoever finds it half done can do it again, and it is done once."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rota.app.commands import pause_job, resume_job, run_job
from rota.app.control import nudge
from rota.app.jobedit import check_text, remove_job_file, write_file
from rota.app.proposal_cards import put_away
from rota.app.sync import sync
from rota.app.wiring import App
from rota.model.agent import Actor
from rota.model.errors import ConflictError, RotaError
from rota.model.instants import Micros
from rota.model.ledger import Event
from rota.model.proposal import Deed, Proposal, ProposalState
from rota.model.run import Reason
from rota.ports.crash import crash_point
from rota.ports.store import Tx
from rota.spec import digest, to_json

NOBODY = "nobody"
_LONGEST_RESULT = 500


@contextlib.contextmanager
def one_at_a_time(app: App) -> Iterator[None]:
    """While one process carries out or decides, the others wait: what one finds half done was left by a crash."""
    handle = os.open(app.layout.rota / "daemon.proposals.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _settle(app)
        yield
    finally:
        os.close(handle)


def settle(app: App) -> None:
    """Finish what a crash left half done, and close what nobody decided about in time."""
    if app.store.read(lambda tx: tx.proposals.pending()):
        with one_at_a_time(app):
            pass


def _settle(app: App) -> None:
    now = app.clock.now()
    for proposal in app.store.read(lambda tx: tx.proposals.pending()):
        if proposal.state is ProposalState.APPLYING:
            with contextlib.suppress(RotaError, OSError):  # its words are kept with it
                finish(app, proposal)
        elif proposal.expires_at is not None and proposal.expires_at <= now:
            app.store.write_now(partial(_expire, app=app, proposal=proposal, now=now))


def _expire(tx: Tx, app: App, proposal: Proposal, now: Micros) -> None:
    if tx.proposals.move(proposal.number, ProposalState.OPEN, ProposalState.EXPIRED, now, by=NOBODY):
        put_away(tx, app, proposal, NOBODY, now)
        tx.events.append(Event("proposal_expired", now, proposal.job_id, None, {"proposal": proposal.number}))


def finish(app: App, proposal: Proposal) -> str:
    """Do what was decided, and say in the state what came of it. Raises RotaError where it cannot be done."""
    crash_point("proposals.decided")
    try:
        result = _carry_out(app, proposal)
    except (RotaError, OSError) as error:
        _end(app, proposal, ProposalState.FAILED, str(error))
        raise
    crash_point("proposals.carried_out")
    _end(app, proposal, ProposalState.APPLIED, result)
    nudge(app.layout)
    return result


def _end(app: App, proposal: Proposal, state: ProposalState, result: str) -> None:
    def write(tx: Tx) -> None:
        tx.proposals.end(proposal.number, state, result[:_LONGEST_RESULT])
        put_away(tx, app, proposal, proposal.decided_by or NOBODY, app.clock.now())
        about = {"proposal": proposal.number, "deed": proposal.deed.value, "agent": proposal.actor.name}
        run = proposal.actor.run
        tx.events.append(Event(f"proposal_{state.value}", app.clock.now(), proposal.job_id, run, about))

    app.store.write_now(write)


def _carry_out(app: App, proposal: Proposal) -> str:
    job_id = proposal.job_id or ""
    said = f"{by_agent(proposal.actor)} ({proposal.id})"
    if proposal.deed is Deed.PAUSE:
        with contextlib.suppress(ConflictError):  # it is paused already
            pause_job(app, job_id, f"{said}: {proposal.why}" if proposal.why else said)
        return f"{job_id} is paused"
    if proposal.deed is Deed.RESUME:
        with contextlib.suppress(ConflictError):
            resume_job(app, job_id)
        return f"{job_id} is active again"
    if proposal.deed is Deed.RUN:
        return f"run {_run(app, proposal)}"
    if proposal.deed is Deed.REMOVE:
        return _remove(app, proposal)
    if proposal.deed in {Deed.CREATE, Deed.CHANGE}:
        return _write(app, proposal)
    return ""


def _run(app: App, proposal: Proposal) -> str:
    job_id, key = proposal.job_id or "", proposal.id
    recent = app.store.read(lambda tx: tx.runs.recent(job_id=job_id, limit=100))
    begun = next((run for run in recent if run.occurrence_key == key), None)
    if begun is not None:
        return begun.id
    reason = Reason("agent", f"started {by_agent(proposal.actor)} ({key})")
    params = {str(name): str(value) for name, value in dict(proposal.detail.get("params") or {}).items()}
    depth = int(proposal.detail.get("depth") or 0)
    return run_job(app, job_id, params, reason=reason, depth=depth, key=key).id


def _write(app: App, proposal: Proposal) -> str:
    path, after = app.layout.root / (proposal.path or ""), proposal.after or ""
    there = text_of(path)
    if there not in {after, proposal.before}:
        raise changed_since(proposal)
    _know_again(app, proposal, path, after)
    if there == after:
        sync(app)
    else:
        write_file(app, path, after, before=proposal.before)
    return f"wrote {proposal.path}"


def _know_again(app: App, proposal: Proposal, path: Path, after: str) -> None:
    """By its hash the sync will know the job; this version of rota may make another of the same text than that which stored it."""
    jobs = [one.job for one in check_text(app, path, after, before=proposal.before).jobs]
    hashes = [digest(to_json(job)) for job in jobs if job.id == proposal.job_id]
    if hashes and hashes[0] != proposal.hash:
        app.store.write_now(lambda tx: tx.proposals.put_hash(proposal.number, hashes[0]))


def _remove(app: App, proposal: Proposal) -> str:
    there = text_of(app.layout.root / (proposal.path or ""))
    if there is None:
        sync(app)
    elif there != proposal.before:
        raise changed_since(proposal)
    else:
        remove_job_file(app, proposal.job_id or "")
    return f"deleted {proposal.path}"


def changed_since(proposal: Proposal) -> ConflictError:
    """The file is not what it was when the agent asked."""
    return ConflictError(
        f"{proposal.path} is not what it was when this was proposed: nothing was changed",
        hint="look at the file; the agent may propose it anew",
        code="changed_since",
    )


def text_of(path: Path) -> str | None:
    """The text of a file; None when it is not there."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None


def by_agent(actor: Actor) -> str:
    """Who it was, in words: `by the agent claude in run r-1`."""
    return f"by the agent {actor.name}" + (f" in run {actor.run}" if actor.run else "")
