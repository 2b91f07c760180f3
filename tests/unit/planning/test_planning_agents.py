"""What the policy says to what agents want."""

from __future__ import annotations

import pytest

from rota.model.config import AgentsPolicy
from rota.model.proposal import Deed, Rule
from rota.planning.agents import MAX_DEPTH, Facts, judge

ALLOWED = AgentsPolicy(Rule.ALLOW, Rule.ALLOW, Rule.ALLOW, Rule.ALLOW, Rule.ALLOW)
NOT_ALLOWED = AgentsPolicy(Rule.DENY, Rule.DENY, Rule.DENY, Rule.DENY, Rule.DENY)
ABOUT_JOBS = [Deed.CREATE, Deed.CHANGE, Deed.REMOVE, Deed.PAUSE, Deed.RESUME, Deed.RUN]


@pytest.mark.parametrize("deed", ABOUT_JOBS)
def test_unless_told_otherwise_agents_start_jobs_and_propose_the_rest(deed: Deed) -> None:
    wanted = Rule.ALLOW if deed is Deed.RUN else Rule.PROPOSE
    assert judge(AgentsPolicy(), deed, Facts()).rule is wanted


@pytest.mark.parametrize("deed", ABOUT_JOBS)
def test_what_is_denied_is_denied_whatever_else_is_the_case(deed: Deed) -> None:
    ruling = judge(NOT_ALLOWED, deed, Facts(by_agent=True, removed_by_person=True))
    assert ruling.rule is Rule.DENY
    assert "deny" in ruling.why


def test_a_job_that_an_agent_made_may_be_paused_by_agents_and_not_resumed() -> None:
    made = Facts(by_agent=True)
    assert judge(AgentsPolicy(), Deed.PAUSE, made).rule is Rule.ALLOW
    assert judge(AgentsPolicy(), Deed.RESUME, made).rule is Rule.PROPOSE


def test_what_a_person_removed_comes_back_by_a_person_only() -> None:
    ruling = judge(ALLOWED, Deed.CREATE, Facts(removed_by_person=True))
    assert ruling.rule is Rule.PROPOSE
    assert "a person removed" in ruling.why


def test_a_run_neither_starts_nor_changes_its_own_job_by_itself() -> None:
    own = Facts(own=True)
    assert judge(ALLOWED, Deed.RUN, own).rule is Rule.DENY
    assert judge(ALLOWED, Deed.CHANGE, own).rule is Rule.PROPOSE
    assert judge(ALLOWED, Deed.REMOVE, own).rule is Rule.PROPOSE
    assert judge(ALLOWED, Deed.PAUSE, own).rule is Rule.ALLOW


def test_runs_that_start_each_other_come_to_an_end() -> None:
    assert judge(ALLOWED, Deed.RUN, Facts(depth=MAX_DEPTH - 1)).rule is Rule.ALLOW
    assert judge(ALLOWED, Deed.RUN, Facts(depth=MAX_DEPTH)).rule is Rule.DENY


def test_asking_waits_for_a_person_and_telling_does_not() -> None:
    assert judge(NOT_ALLOWED, Deed.QUESTION, Facts()).rule is Rule.PROPOSE
    assert judge(NOT_ALLOWED, Deed.NOTIFY, Facts()).rule is Rule.ALLOW
