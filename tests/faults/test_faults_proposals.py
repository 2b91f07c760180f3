"""kill -9 while a proposal of an agent is carried out: it is done, once, and everybody knows by whom."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from tests.support.proposals import use, wish_for_a_job
from tests.support.rota import Rota

POINTS = ["proposals.decided", "proposals.carried_out"]


def approve_and_die(rota: Rota, proposal: str, point: str) -> None:
    """A person approves, and the command is killed there."""
    rota.env["ROTA_CRASH_AT"] = point
    dying = rota.start("approve", proposal)
    del rota.env["ROTA_CRASH_AT"]
    assert dying.wait(90) == -signal.SIGKILL, dying.communicate()


def shown(rota: Rota, job: str) -> dict[str, Any]:
    found: dict[str, Any] = rota.quick("show", job, "--json").json
    return found


@pytest.mark.parametrize("point", POINTS)
def test_a_job_that_was_approved_is_there_and_has_its_author(rota: Rota, point: str) -> None:
    proposal = wish_for_a_job(rota.root, "wished")
    approve_and_die(rota, proposal, point)
    rota.up()  # which finishes what it finds half done
    assert rota.ids() == ["wished"]
    assert f"claude ({proposal}, approved by" in shown(rota, "wished")["made_by"]
    assert rota.quick("inbox", "--json").json == []
    assert '"state": "applied"' in use(rota.root, "proposal_show", proposal=proposal)


@pytest.mark.parametrize("point", POINTS)
def test_a_job_is_removed_for_good_and_by_whom_is_known(rota: Rota, point: str) -> None:
    rota.job("old", "run: 'true'\n")
    rota.quick("list")
    use(rota.root, "job_remove", job="old")
    approve_and_die(rota, "P-1", point)
    assert rota.quick("inbox", "--json").json == []
    assert rota.ids() == []
    # An agent removed it, so that it is no person's word that keeps it away.
    assert "a person removed" not in use(rota.root, "job_create", id="old", run="true")


@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_was_approved_is_started_once(rota: Rota, point: str) -> None:
    rota.write(".rota/rota.yaml", "timezone: UTC\nagents: {run: propose}\n")
    rota.job("work", "overlap: allow\nrun: echo worked >> worked.txt\n")
    rota.quick("list")
    use(rota.root, "job_run", job="work")
    approve_and_die(rota, "P-1", point)
    assert rota.quick("inbox", "--json").json == []
    rota("tick")
    assert rota.lines("worked.txt") == ["worked"]
    assert [run["state"] for run in rota.runs("work")] == ["succeeded"]
