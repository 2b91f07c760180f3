"""What agents did, and the keys that they come with, in the state."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rota.model.agent import Actor
from rota.model.proposal import AgentToken, Deed, Proposal, ProposalState
from rota.ports.store import Store, Tx

WISH = Proposal(
    Deed.CREATE,
    Actor("claude", run="r-1", job="j"),
    "create the job `x`",
    100,
    job_id="x",
    why="asked for",
    path=".rota/jobs/x.yaml",
    after="run: 'true'\n",
    hash="h1",
    detail={"fires": [1, 2]},
    expires_at=900,
)


def test_a_proposal_comes_back_as_it_was(store: Store) -> None:
    first = store.write_now(lambda tx: tx.proposals.add(WISH))
    second = store.write_now(lambda tx: tx.proposals.add(replace(WISH, asked_at=200, job_id=None)))
    assert (first, second) == (1, 2)
    assert store.read(lambda tx: tx.proposals.get(1)) == replace(WISH, number=1)
    assert [one.number for one in store.read(lambda tx: tx.proposals.recent(10))] == [2, 1]
    assert [one.number for one in store.read(lambda tx: tx.proposals.recent(10, job_id="x"))] == [1]
    assert store.read(lambda tx: (tx.proposals.since(150), tx.proposals.since(100))) == (1, 2)


def test_it_is_decided_once(store: Store) -> None:
    number = store.write_now(lambda tx: tx.proposals.add(WISH))

    def decide(by: str) -> bool:
        moved = store.write_now(
            lambda tx: tx.proposals.move(
                number, ProposalState.OPEN, ProposalState.APPLYING, 300, by=by, answer="well"
            )
        )
        return bool(moved)

    assert [decide("eve"), decide("bob")] == [True, False]
    assert [one.state for one in store.read(lambda tx: tx.proposals.pending())] == [ProposalState.APPLYING]
    store.write_now(lambda tx: tx.proposals.end(number, ProposalState.APPLIED, "wrote it"))
    found = store.read(lambda tx: tx.proposals.get(number))
    assert found is not None
    assert (found.state, found.decided_by, found.answer, found.result) == (
        "applied",
        "eve",
        "well",
        "wrote it",
    )
    assert store.read(lambda tx: tx.proposals.pending()) == []


def test_old_ones_go_but_not_those_by_which_a_job_is_what_it_is(store: Store) -> None:
    for state in (ProposalState.APPLIED, ProposalState.APPLIED, ProposalState.OPEN):
        store.write_now(partial(_add, proposal=replace(WISH, state=state)))
    job = store.read(lambda tx: tx.jobs.get("j"))
    assert job is not None
    store.write_now(lambda tx: tx.jobs.put(replace(job, created_by=2)))
    assert store.write_now(lambda tx: tx.proposals.prune(1000, 10)) == 1
    assert [one.number for one in store.read(lambda tx: tx.proposals.recent(10))] == [3, 2]
    assert store.read(lambda tx: tx.jobs.made_by_agents()) == 1


def test_a_key_is_known_by_its_name_once(store: Store) -> None:
    token = AgentToken("laptop", "d" * 64, "claude", ("look", "job_*"), 5, 900)
    assert store.write_now(lambda tx: tx.tokens.add(token))
    assert not store.write_now(lambda tx: tx.tokens.add(replace(token, digest="e" * 64)))
    store.write_now(lambda tx: tx.tokens.used("laptop", 7))
    assert store.read(lambda tx: tx.tokens.all()) == [replace(token, used_at=7)]
    assert store.write_now(lambda tx: tx.tokens.remove("laptop"))
    assert not store.write_now(lambda tx: tx.tokens.remove("laptop"))


def _add(tx: Tx, proposal: Proposal) -> int:
    return tx.proposals.add(proposal)
