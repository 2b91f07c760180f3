"""By whose hand a job became what it is: an agent's, where one of its proposals was being carried out, else a person's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.model.proposal import Deed, Proposal, ProposalState

if TYPE_CHECKING:
    from rota.app.wiring import App
    from rota.ports.store import Tx


def agents_hand(tx: Tx, job_id: str, hash_: str | None) -> int | None:
    """The number of the proposal that is being carried out and makes the job this definition (None: removes it)."""
    for proposal in tx.proposals.pending():
        if proposal.state is not ProposalState.APPLYING or proposal.job_id != job_id:
            continue
        if proposal.deed is Deed.REMOVE if hash_ is None else proposal.hash == hash_:
            return proposal.number
    return None


def hand_of(app: App, number: int | None) -> Proposal | None:
    """The proposal by which a job became what it is; None where a person did it."""
    return None if number is None else app.store.read(lambda tx: tx.proposals.get(number))
