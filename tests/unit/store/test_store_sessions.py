"""Conversations with agents: kept by key, gone with their run, pruned when nobody goes on with them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rota.model.agent import AgentSession, Denial, run_key
from rota.ports.store import Store, Tx

WHOLE = AgentSession(
    "name:planning", "claude", "c0ffee", "opus", {"usd": 0.25, "tokens": {"input": 7}},
    grants=(Denial("run", "git push; ls"), Denial("write", "now/ü.md")), refused=(Denial("net", "example.com"),),
    asked=(Denial("run", '"quoted"'),), said="You may.", open=False, updated_at=7,
)  # fmt: skip


def get(store: Store, key: str) -> AgentSession | None:
    return store.read(lambda tx: tx.sessions.get(key))


def _put(tx: Tx, session: AgentSession) -> None:
    tx.sessions.put(session)


def put(store: Store, *sessions: AgentSession) -> None:
    for one in sessions:
        store.write_now(partial(_put, session=one))


def test_a_conversation_comes_back_as_it_was_put(store: Store) -> None:
    assert get(store, WHOLE.key) is None
    put(store, WHOLE)
    assert get(store, WHOLE.key) == WHOLE
    later = AgentSession(WHOLE.key, "codex", "t-1", updated_at=9)
    put(store, later)
    assert get(store, WHOLE.key) == later
    store.write_now(lambda tx: tx.sessions.drop(WHOLE.key))
    store.write_now(lambda tx: tx.sessions.drop("name:nobody"))
    assert get(store, WHOLE.key) is None


def test_those_that_nobody_went_on_with_are_pruned_the_oldest_first(store: Store) -> None:
    put(store, *(replace(WHOLE, key=f"job:j:{n}", updated_at=n) for n in range(1, 5)))
    assert store.write_now(lambda tx: tx.sessions.prune(4, 2)) == 2
    assert [get(store, f"job:j:{n}") is None for n in range(1, 5)] == [True, True, False, False]
    assert store.write_now(lambda tx: tx.sessions.prune(4, 2)) == 1


def test_the_conversation_of_a_run_is_none_of_those(store: Store) -> None:
    assert run_key("run-1", "work") == "run:run-1:work"
    assert store.write_now(lambda tx: tx.sessions.prune(10**18, 50)) == 0
