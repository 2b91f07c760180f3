"""What agents took: exact sums, each response once, what is set aside only for who is at work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rota.model.agent import Caps, Usage
from rota.model.budget import Bound, Scope, Span
from rota.model.run import Reason, Run, RunState
from rota.model.spend import OpenAccount, Spend, Used
from rota.ports.store import Store, Tx

ONE = Spend("r", "s", "k1", "j", 1, 1000, "builtin", "gpt-5", Usage(10, 5, 3, 2), 0.1, 0.2, turns=1)
ACCOUNT = OpenAccount("r", "s", 1, "j", 1, "builtin", "gpt-5", 500, Used(usd=0.5, tokens=100, turns=3))


def bound(scope: Scope, span: Span, start: int = 0) -> Bound:
    return Bound(scope, span, Caps(usd=1), start=start)


def begin(tx: Tx, run_id: str = "r") -> None:
    tx.runs.add(Run(run_id, "j", RunState.QUEUED, "h", 1))
    assert tx.runs.claim(run_id, "me", 2, 3) is not None


@pytest.fixture
def spent(store: Store) -> Store:
    def work(tx: Tx) -> None:
        begin(tx)
        for number in range(10):
            tx.spend.add(replace(ONE, key=f"k{number}", at=1000 + number))
        tx.spend.add(replace(ONE, run_id="other", key="k", at=1004))

    store.write_now(work)
    return store


def test_sums_are_exact(spent: Store) -> None:
    assert spent.read(lambda tx: tx.spend.of_run("r")) == Used(usd=1.0, tokens=200, turns=10), (
        "0.1 ten times is 1"
    )


@pytest.mark.parametrize(
    ("of", "turns"),
    [
        (bound(Scope.STEP, Span.RUN), 10),
        (bound(Scope.JOB, Span.RUN), 10),
        (bound(Scope.JOB, Span.DAY), 11),
        (bound(Scope.JOB, Span.DAY, start=1005), 5),
        (bound(Scope.WORKSPACE, Span.MONTH, start=1004), 7),
    ],
)
def test_a_budget_counts_its_scope_and_its_span(spent: Store, of: Bound, turns: int) -> None:
    assert spent.read(lambda tx: tx.spend.used(of, job_id="j", run_id="r", step_id="s")).turns == turns


def test_a_key_counts_once_in_its_step(spent: Store) -> None:
    assert not spent.write_now(lambda tx: tx.spend.add(replace(ONE, attempt=2, usd=9.0)))
    assert spent.write_now(lambda tx: tx.spend.add(replace(ONE, step_id="t")))
    assert spent.read(lambda tx: tx.spend.of_run("r")).turns == 11


def test_without_a_price_it_counts_tokens_and_no_dollars(store: Store) -> None:
    store.write_now(lambda tx: tx.spend.add(replace(ONE, usd=None)))
    assert store.read(lambda tx: tx.spend.of_run("r")) == Used(tokens=20, turns=1, unpriced=1)
    (row,) = store.read(lambda tx: tx.spend.sums("model", 0))
    assert (row.name, row.usd, row.unpriced, row.client_usd) == ("gpt-5", 0.0, 1, 0.2)


def test_what_is_set_aside_ends_with_the_claim(spent: Store) -> None:
    spent.write_now(lambda tx: tx.spend.open(ACCOUNT))
    ((account, took),) = spent.read(lambda tx: tx.spend.at_work())
    assert (account, took.turns) == (ACCOUNT, 10)

    def taken_over(tx: Tx) -> None:
        run = tx.runs.get("r")
        assert run is not None
        tx.runs.release(run, 9, Reason("taken_over", "x"))

    spent.write_now(taken_over)
    assert spent.read(lambda tx: tx.spend.at_work()) == [], "its owner has ended"
    spent.write_now(lambda tx: tx.runs.claim("r", "another", 10, 11))
    assert spent.read(lambda tx: tx.spend.at_work()) == [], "the next claim is another's"
    assert len(spent.read(lambda tx: tx.spend.left_open("r"))) == 1


def test_what_a_try_took_tells_what_is_usual(store: Store) -> None:
    def work(tx: Tx) -> None:
        for number in (1, 2, 3):
            begin(tx, f"r{number}")
            tx.spend.open(replace(ACCOUNT, run_id=f"r{number}", opened_at=number))
        tx.spend.close("r1", "s", 1, 9, Used(usd=0.1, tokens=10, turns=1))
        tx.spend.close("r2", "s", 1, 9, Used())  # refused
        tx.spend.close("r1", "s", 1, 10, Used(usd=9.0))  # closed already

    store.write_now(work)
    assert store.read(lambda tx: tx.spend.usual("j", "s", 5)) == [Used(usd=0.1, tokens=10, turns=1)]
    assert store.read(lambda tx: tx.spend.usual_of_runs("j", 5)) == [Used(usd=0.1, tokens=10, turns=1)]


def test_spend_outlives_its_run_until_it_is_old(spent: Store) -> None:
    def prune_run(tx: Tx) -> None:
        run = tx.runs.get("r")
        assert run is not None
        tx.spend.open(ACCOUNT)
        tx.runs.finish(run, RunState.SUCCEEDED, Reason("done", "x"), 20, {})
        tx.runs.prune(["r"])

    spent.write_now(prune_run)
    assert spent.read(lambda tx: tx.spend.of_run("r")).turns == 10
    assert spent.read(lambda tx: tx.spend.left_open("r")) == []
    assert spent.write_now(lambda tx: tx.spend.prune(1005, 4)) == 4
    assert spent.write_now(lambda tx: tx.spend.prune(1005, 4)) == 2
    assert spent.read(lambda tx: tx.spend.first_at()) == 1005
