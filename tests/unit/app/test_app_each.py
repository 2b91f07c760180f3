"""Many runs of one job at a time, each with parameters of its own."""

from __future__ import annotations

import pytest
from tests.support.opened import Opened

from rota.app.each import BATCH, read_lines, run_each
from rota.model.errors import NotFoundError, RotaError
from rota.model.ledger import Outcome
from rota.model.run import RunState

JOB = "on: manual\noverlap: {overlap}\nparams:\n  n: {{type: integer, required: true}}\n  who: {{default: Sam}}\nsteps:\n  - run: echo\n"


def job(opened: Opened, overlap: str = "allow") -> None:
    opened.job("a", JOB.format(overlap=overlap))


def test_each_set_of_parameters_gets_a_run_in_that_order(opened: Opened) -> None:
    job(opened)
    ids = run_each(opened.app, "a", ({"n": number} for number in range(BATCH + 3)))
    assert len(set(ids)) == BATCH + 3
    runs = [opened.app.store.read(lambda tx: tx.runs.get(run_id)) for run_id in ids]  # noqa: B023 # called at once
    assert [run.inputs["params"] for run in runs if run] == [
        {"n": number, "who": "Sam"} for number in range(BATCH + 3)
    ]
    assert {run.state for run in runs if run} == {RunState.QUEUED}
    ledger = opened.app.store.read(lambda tx: tx.ledger.of("a", limit=2 * BATCH))
    assert {row.run_id for row in ledger} == set(ids)
    assert {row.outcome for row in ledger} == {Outcome.RAN}


@pytest.mark.parametrize(("overlap", "let_in"), [("skip", 1), ("queue", 4), ("allow", 4)])
def test_overlap_decides_how_many_are_let_in(opened: Opened, overlap: str, let_in: int) -> None:
    job(opened, overlap)
    assert len(run_each(opened.app, "a", [{"n": 1}] * 4)) == let_in
    ledger = opened.app.store.read(lambda tx: tx.ledger.of("a"))
    assert [row.outcome for row in ledger].count(Outcome.SKIPPED) == 4 - let_in


def test_a_wrong_line_is_named_and_nothing_is_queued(opened: Opened) -> None:
    job(opened)
    with pytest.raises(RotaError, match="run 2: parameter `n`: expected integer"):
        run_each(opened.app, "a", [{"n": 1}, {"n": "many"}])
    with pytest.raises(RotaError, match="run 1: `a` needs the parameter `n`"):
        run_each(opened.app, "a", [{}])
    assert opened.app.store.read(lambda tx: tx.runs.recent()) == []
    with pytest.raises(NotFoundError):
        run_each(opened.app, "nothing", [])


def test_lines_are_json_objects() -> None:
    assert read_lines('{"n": 1}\n\n{"n": 2, "who": "Ida"}\n') == [{"n": 1}, {"n": 2, "who": "Ida"}]
    with pytest.raises(RotaError, match="line 2 is not JSON"):
        read_lines('{}\n{"n": \n')
    with pytest.raises(RotaError, match="line 1 is a list, not an object") as caught:
        read_lines("[1]")
    assert caught.value.hint
