"""What agents did, or want done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.model.agent import Actor
from rota.model.instants import Micros
from rota.model.proposal import Deed, Proposal, ProposalState
from rota.store.sql import Row, Session, from_json, to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import proposal_queries as q
else:
    q = queries("proposal_queries")


class Proposals:
    """The verbs of `ports.proposals.ProposalsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, proposal: Proposal) -> int:
        """Its number: one more than the greatest so far."""
        number = int(self._session.value(q.LAST) or 0) + 1
        actor = {key: value for key, value in vars(proposal.actor).items() if value is not None}
        self._session.change(
            q.ADD,
            number=number,
            deed=proposal.deed,
            state=proposal.state,
            job_id=proposal.job_id,
            actor=to_json(actor),
            title=proposal.title,
            why=proposal.why,
            path=proposal.path,
            before=proposal.before,
            after=proposal.after,
            hash=proposal.hash,
            detail=to_json(proposal.detail),
            asked_at=proposal.asked_at,
            expires_at=proposal.expires_at,
            decided_at=proposal.decided_at,
            decided_by=proposal.decided_by,
            answer=proposal.answer,
            result=proposal.result,
        )
        return number

    def get(self, number: int) -> Proposal | None:
        """None when there is none."""
        row = self._session.one(q.GET, number=number)
        return None if row is None else _proposal(row)

    def pending(self) -> list[Proposal]:
        """Open ones, and those that are being applied, oldest first."""
        return [_proposal(row) for row in self._session.all(q.PENDING)]

    def recent(self, limit: int = 50, *, job_id: str | None = None) -> list[Proposal]:
        """Latest first."""
        if job_id is None:
            return [_proposal(row) for row in self._session.all(q.RECENT, limit=limit)]
        return [_proposal(row) for row in self._session.all(q.RECENT_OF_JOB, job_id=job_id, limit=limit)]

    def since(self, instant: Micros) -> int:
        """How many there are of then or later."""
        return int(self._session.value(q.SINCE, instant=instant) or 0)

    def move(
        self,
        number: int,
        before: ProposalState,
        after: ProposalState,
        now: Micros,
        *,
        by: str,
        answer: str | None = None,
    ) -> bool:
        """Decide; False when it is not `before` any more."""
        changed = self._session.change(
            q.MOVE, number=number, before_state=before, after_state=after, now=now, by=by, given=answer
        )
        return changed == 1

    def put_hash(self, number: int, hash_: str) -> None:
        """Replace the hash of the definition that it makes."""
        self._session.change(q.PUT_HASH, number=number, new_hash=hash_)

    def end(self, number: int, state: ProposalState, result: str) -> None:
        """Say what came of one that was being applied."""
        self._session.change(q.END, number=number, new_state=state, said=result)

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` that are over, older than that, and by which no job became what it is; how many."""
        return self._session.change(q.PRUNE, older_than=older_than, limit=limit)


def _proposal(row: Row) -> Proposal:
    number, deed, state, job_id, actor, title, why, path, before, after, hash_, detail, *rest = row
    asked_at, expires_at, decided_at, decided_by, answer, result = rest
    return Proposal(
        Deed(deed),
        Actor(**from_json(actor)),
        title,
        asked_at,
        number,
        ProposalState(state),
        job_id,
        why,
        path,
        before,
        after,
        hash_,
        from_json(detail),
        expires_at,
        decided_at,
        decided_by,
        answer,
        result,
    )
