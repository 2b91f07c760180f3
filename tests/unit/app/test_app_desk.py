"""Rota's tools for agents: what they answer, and that what they change goes by the policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.opened import Opened

from rota.app.commands import run_job
from rota.app.desk import LONGEST, LocalDesk, all_tools
from rota.app.proposals import approve_proposal, deny_proposal, open_proposals
from rota.app.sync import sync
from rota.model.agent import Actor
from rota.model.errors import ConflictError, RotaError
from rota.model.ledger import JobRecord
from rota.model.run import Reason, Run
from rota.ports.store import Tx

CLAUDE = Actor("claude")
HELLO: dict[str, Any] = {
    "id": "hello",
    "schedule": "0 8 * * *",
    "run": "echo hello",
    "why": "somebody asked for it",
}
ALLOW = "agents: {create: allow, change: allow, remove: allow, pause: allow}\n"


class Agent:
    """An agent at the desk of a workspace."""

    def __init__(self, opened: Opened, settings: str = "") -> None:
        self.opened = opened
        self.desk = LocalDesk(opened.app)
        self.settle(settings)

    def settle(self, settings: str) -> None:
        self.opened.file(".rota/rota.yaml", f"timezone: UTC\n{settings}")

    def __call__(self, tool: str, actor: Actor = CLAUDE, **arguments: Any) -> str:
        return self.desk.use_now(tool, arguments, actor)

    def refused(self, tool: str, actor: Actor = CLAUDE, **arguments: Any) -> RotaError:
        with pytest.raises(RotaError) as refusal:
            self(tool, actor, **arguments)
        return refusal.value

    def job(self, job_id: str) -> JobRecord | None:
        return self.opened.app.store.read(lambda tx: tx.jobs.get(job_id))


@pytest.fixture
def agent(opened: Opened) -> Agent:
    return Agent(opened)


def test_every_tool_says_what_it_takes() -> None:
    for tool in all_tools().values():
        assert tool.parameters["type"] == "object"
        assert tool.description[-1] == "."
        assert set(tool.parameters.get("required", ())) <= set(tool.parameters.get("properties", {}))


def test_a_job_that_an_agent_makes_is_put_before_a_person(agent: Agent) -> None:
    said = agent("job_create", **HELLO)
    assert said.startswith("Proposed as P-1")
    assert agent.job("hello") is None
    shown = agent("proposal_show", proposal="P-1")
    assert "+run: echo hello" in shown
    assert "T08:00:00+00:00" in shown

    done = approve_proposal(agent.opened.app, "P-1", by="eve")
    assert done.state == "applied"
    record = agent.job("hello")
    assert record is not None
    assert record.created_by == 1
    assert "claude (P-1)" in agent("job_show", job="hello")
    assert '"decided_by": "eve"' in agent("proposal_show", proposal="p-1")


def test_the_same_wish_is_one_proposal_and_a_denied_one_is_not_asked_again(agent: Agent) -> None:
    agent("job_create", **HELLO)
    assert "P-1" in agent("job_create", **HELLO)
    deny_proposal(agent.opened.app, "P-1", by="eve", reason="too chatty")
    refusal = agent.refused("job_create", **HELLO)
    assert refusal.code == "denied"
    assert "too chatty" in refusal.message


def test_what_is_allowed_is_done_at_once_and_recorded(opened: Opened) -> None:
    agent = Agent(opened, ALLOW)
    assert agent("job_create", **HELLO).startswith("Done")
    agent("job_change", job="hello", set={"schedule": "0 9 * * *", "timeout": "2m"})
    record = agent.job("hello")
    assert record is not None
    assert (record.created_by, record.changed_by, record.schedule) == (1, 2, "0 9 * * *")
    agent("job_pause", job="hello", why="noisy")
    assert "by the agent claude (P-3): noisy" in agent("job_show", job="hello")
    agent("job_resume", job="hello")
    agent("job_remove", job="hello")
    record = agent.job("hello")
    assert record is not None
    assert (record.removed_at is not None, record.removed_by) == (True, 5)
    assert '"decided_by": "policy"' in agent("proposal_list")


def test_a_change_by_hand_is_nobodys_but_the_persons(opened: Opened) -> None:
    agent = Agent(opened, ALLOW)
    agent("job_create", **HELLO)
    agent("job_change", job="hello", set={"timeout": "2m"})
    opened.file(".rota/jobs/hello.yaml", "schedule: hourly\nrun: echo hello\n")
    sync(opened.app)
    record = agent.job("hello")
    assert record is not None
    assert (record.created_by, record.changed_by) == (1, None)


def test_what_a_person_removed_stays_removed(opened: Opened) -> None:
    agent = Agent(opened, ALLOW)
    agent("job_create", **HELLO)
    (opened.root / ".rota/jobs/hello.yaml").unlink()
    sync(opened.app)
    said = agent("job_create", **HELLO | {"run": "echo again"})
    assert said.startswith("Proposed")
    assert "a person removed a job of this id" in said
    record = agent.job("hello")
    assert record is not None
    assert record.removed_at is not None


def test_what_an_agent_removed_an_agent_may_make_again(opened: Opened) -> None:
    agent = Agent(opened, ALLOW)
    agent("job_create", **HELLO)
    agent("job_remove", job="hello")
    assert agent("job_create", **HELLO).startswith("Done")


def test_a_proposal_is_for_the_file_as_it_was(agent: Agent) -> None:
    agent.opened.job("hello", "schedule: daily\nrun: echo hello\n")
    agent("job_change", job="hello", set={"schedule": "hourly"})
    changed = "schedule: weekly\nrun: echo hello\n"
    agent.opened.job("hello", changed)
    with pytest.raises(ConflictError, match="not what it was"):
        approve_proposal(agent.opened.app, "P-1", by="eve")
    assert (agent.opened.root / ".rota/jobs/hello.yaml").read_text() == changed
    assert '"state": "failed"' in agent("proposal_show", proposal="P-1")


def test_a_proposal_is_decided_once_and_not_for_ever(agent: Agent) -> None:
    agent("job_create", **HELLO)
    agent.opened.clock.advance(15 * 86_400)
    assert open_proposals(agent.opened.app) == []
    with pytest.raises(ConflictError, match="expired"):
        approve_proposal(agent.opened.app, "P-1", by="eve")
    assert "Proposed as P-2" in agent("job_create", **HELLO)


def test_there_is_an_end_to_what_agents_do_in_a_day(opened: Opened) -> None:
    agent = Agent(opened, "agents: {create: allow, max_per_day: 2}\n")
    agent("job_create", **HELLO)
    agent("job_create", **HELLO | {"id": "hello-2"})
    assert "24 hours" in agent.refused("job_create", **HELLO | {"id": "hello-3"}).message
    opened.clock.advance(86_401)
    assert agent("job_create", **HELLO | {"id": "hello-3"}).startswith("Done")


def test_there_is_an_end_to_the_jobs_of_agents(opened: Opened) -> None:
    agent = Agent(opened, "agents: {create: propose, max_jobs: 1}\n")
    agent("job_create", **HELLO)
    assert "1 jobs" in agent.refused("job_create", **HELLO | {"id": "hello-2"}).message


def test_the_settings_that_count_are_those_of_now(opened: Opened) -> None:
    agent = Agent(opened, ALLOW)
    agent("whoami")
    agent.settle("agents: deny\n")
    refusal = agent.refused("job_create", **HELLO)
    assert (refusal.code, "create: deny" in refusal.message) == ("denied", True)


def test_a_job_that_an_agent_makes_has_the_caps_that_it_has_to_have(opened: Opened) -> None:
    agent = Agent(opened, "agents: {create: allow, budget: {day: {usd: 0.5}}}\n")
    agent(
        "job_create",
        id="brief",
        schedule="daily",
        prompt="Summarise.",
        keys={"budget": {"run": {"turns": 9}}},
    )
    text = (opened.root / ".rota/jobs/brief.md").read_text()
    assert "turns: 9" in text
    assert "usd: 0.5" in text
    larger = {"budget": {"day": {"usd": 5}}}
    assert "at most 0.5" in agent.refused("job_create", id="more", prompt="x", keys=larger).message
    agent("job_create", **HELLO)
    assert "budget" not in (opened.root / ".rota/jobs/hello.yaml").read_text()


def test_mistakes_are_told_in_words_that_help(agent: Agent) -> None:
    assert "did you mean `job_create`" in str(agent.refused("job_crate").hint)
    assert "did you mean `id`" in str(agent.refused("job_create", idd="x").hint)
    assert "needs the argument `id`" in agent.refused("job_create").message
    assert "integer from 1 to 50" in agent.refused("job_next", job="x", count=True).message
    assert "no schedule" in str(agent.refused("job_create", **HELLO | {"schedule": "dailyy"}))
    assert "something to do" in agent.refused("job_create", id="x", schedule="daily").message
    two = "- {id: a, run: 'true'}\n- {id: b, run: 'true'}\n"
    assert "one job, `a`" in agent.refused("job_check", id="a", text=two).message
    assert open_proposals(agent.opened.app) == []


def test_a_text_is_checked_without_being_kept(agent: Agent) -> None:
    assert "It is right" in agent("job_check", id="x", text="schedule: daily\nrun: 'true'\n")
    assert agent("proposal_list") == "There are none."


def test_secrets_are_masked_in_answers_and_in_errors(agent: Agent) -> None:
    agent.opened.app.secrets.set("TOKEN", "hunter2hunter2")
    agent.opened.job("leaks", "description: the key hunter2hunter2\nrun: echo hunter2hunter2\n")
    assert "hunter2" not in agent("job_show", job="leaks") + agent("job_list")
    assert "hunter2" not in str(agent.refused("job_show", job="hunter2hunter2"))


def test_secrets_that_an_agent_says_are_not_kept(agent: Agent) -> None:
    agent.opened.app.secrets.set("TOKEN", "hunter2hunter2")
    refusal = agent.refused("job_create", **HELLO | {"run": "curl -H hunter2hunter2 example.org"})
    assert "${NAME}" in str(refusal.hint)
    agent("ask", question="Is hunter2hunter2 right?", why="hunter2hunter2")
    assert "Is *** right?" in agent("proposal_show", proposal="P-1")
    kept = b"".join(path.read_bytes() for path in (agent.opened.root / ".rota").glob("state.db*"))
    assert b"hunter2hunter2" not in kept


def test_answers_have_an_end(agent: Agent) -> None:
    agent.opened.job("long", "run: echo " + "x" * (2 * LONGEST) + "\n")
    said = agent("job_show", job="long")
    assert len(said) < LONGEST + 100
    assert "cut here" in said


def test_a_person_answers_what_an_agent_asks(agent: Agent) -> None:
    said = agent("ask", question="Shall the report go to all?", choices=["all", "none"])
    assert "P-1" in said
    with pytest.raises(RotaError, match="which of its choices"):
        approve_proposal(agent.opened.app, "P-1", by="eve")
    approve_proposal(agent.opened.app, "P-1", by="eve", choice="none", reason="holidays")
    assert '"answer": "none: holidays"' in agent("proposal_show", proposal="P-1")


def test_people_hear_of_a_proposal_and_of_what_agents_say(opened: Opened) -> None:
    agent = Agent(opened, "notify: [desktop]\n")
    agent("job_create", **HELLO)
    agent("notify", message="The build is green.", title="CI")
    messages = opened.app.store.read(lambda tx: tx.outbox.recent())
    bodies = "\n".join(message.body for message in messages)
    assert "rota approve P-1" in bodies
    assert "The build is green." in bodies
    assert "do not go to `slack`" in agent.refused("notify", message="x", channel="slack").message


def test_a_proposal_is_a_card_until_it_is_decided(agent: Agent) -> None:
    agent("job_create", **HELLO)
    assert "P-1: create the job `hello`" in agent("card_list")
    deny_proposal(agent.opened.app, "P-1", by="eve", reason="no")
    assert "P-1" not in agent("card_list")


def test_a_run_cannot_start_its_own_job_whatever_it_says_of_itself(agent: Agent) -> None:
    for name in ("one", "two"):
        agent.opened.job(name, "overlap: allow\nrun: 'true'\n")
    inside = Actor("claude", run=run_job(agent.opened.app, "one").id, job="another")
    assert "its own job" in agent.refused("job_run", inside, job="one").message
    agent("job_run", inside, job="two")
    started = agent.opened.app.store.read(lambda tx: tx.runs.recent(job_id="two", limit=1))[0]
    assert started.reason == Reason("agent", f"started by the agent claude in run {inside.run} (P-1)")


def test_depth_is_counted_over_agents_runs(agent: Agent) -> None:
    for name in ("even", "odd"):
        agent.opened.job(name, "overlap: allow\nrun: 'true'\n")
    actor = Actor("claude", run=run_job(agent.opened.app, "even").id)
    depths = []
    for name in ["odd", "even", "odd", "even", "odd"]:
        agent("job_run", actor, job=name)
        run = agent.opened.app.store.read(_started_last)
        depths.append(run.inputs["depth"])
        actor = Actor("claude", run=run.id)
    assert depths == [1, 2, 3, 4, 5]
    assert "no chain goes on longer" in agent.refused("job_run", actor, job="even").message


def test_an_agent_in_a_run_has_the_tools_that_its_step_may_use(agent: Agent) -> None:
    app = agent.opened.app
    agent.opened.job("one", "run: 'true'\n")
    record = agent.job("one")
    assert record is not None
    step = '"config":{"run":"true","permissions":{"rota":["card_*"]}}'
    text = record.definition.replace('"config":{"run":"true"}', step)
    assert text != record.definition
    app.store.write_now(lambda tx: tx.jobs.put(replace(record, definition=text, hash="other")))
    inside = Actor("claude", run=run_job(app, "one").id, step="run")
    assert "may not use `job_create`" in agent.refused("job_create", inside, **HELLO).message
    assert "Created" in agent("card_create", inside, title="Test Task")
    assert "hello" not in agent("job_list", inside)


def _started_last(tx: Tx) -> Run:
    """The run that the latest deed of an agent started."""
    (latest,) = tx.proposals.recent(1)
    return next(run for run in tx.runs.recent(limit=20) if run.occurrence_key == latest.id)
