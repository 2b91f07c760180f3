"""Runs that wait for an approval: answered, denied, in time and too late, whatever happens to the daemon."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.world import World

from rota.engine.questions import answer
from rota.model.instants import HOUR, SECOND
from rota.model.job import Notify
from rota.model.message import Approval, ApprovalState
from rota.model.run import RunState
from rota.ports.steps import Done, StepContext, StepResult
from rota.ports.store import Tx

ASKS = """
steps:
  - {id: draft, act: the plan}
  - {id: ok, approve: "Send {{ steps.draft.output }}?", preview: "Dear {{ steps.draft.output }}"%s}
  - {id: send, act: "sent: {{ steps.ok.answer }} by {{ steps.ok.by }}, {{ steps.ok.reason }}"}
  - {id: log, needs: [draft], act: logged}
"""


def question(world: World) -> Approval:
    (found,) = world.real.read(lambda tx: tx.approvals.of(world.run().id))
    return found


def reply(
    world: World, choice: str, *, by: str = "ana", reason: str | None = None, to: Approval | None = None
) -> bool:
    asked = to or question(world)

    def work(tx: Tx) -> bool:
        return answer(tx, asked, choice, by, world.clock.now(), reason=reason)

    return world.real.write_now(work)


def asked(world: World, keys: str = "") -> None:
    """Run the job until it waits for its answer."""
    world.job(ASKS % keys)
    world.start()
    asyncio.run(world.settle())
    assert world.state() is RunState.WAITING


def test_a_run_waits_and_goes_on_with_the_answer(world: World) -> None:
    asked(world)
    run = world.run()
    assert run.reason.text == "step `ok`: waits for an answer: Send the plan?"
    assert world.states() == {"draft": "succeeded", "ok": "waiting", "log": "succeeded"}
    found = question(world)
    assert (found.question, found.preview, found.choices) == (
        "Send the plan?",
        "Dear the plan",
        ("approve", "deny"),
    )
    assert not world.engine.work.active
    assert reply(world, "approve", reason="looks good")
    asyncio.run(world.settle())
    assert world.state() is RunState.SUCCEEDED
    assert world.steps()["ok"].output == "approve"
    assert world.steps()["send"].output == "sent: approve by ana, looks good"


def test_a_denial_fails_the_run_and_says_who_and_why(world: World) -> None:
    asked(world)
    assert reply(world, "deny", reason="not this week")
    asyncio.run(world.settle())
    run = world.run()
    assert (run.state, run.reason.code) == (RunState.FAILED, "denied")
    assert run.reason.text == "step `ok`: denied by ana: not this week"
    assert world.states()["send"] == "skipped"


def test_a_denial_may_leave_out_what_waits_for_the_answer(world: World) -> None:
    """Steps that do not wait for it go on, and so does the run."""
    world.job(
        "steps:\n  - {id: ok, approve: Send it?, on_deny: skip}\n  - {id: send, act: x}\n  - {id: tell, act: x}\n"
        "  - {id: tidy, needs: [], act: x}\n"
    )
    world.start()
    asyncio.run(world.settle())
    assert reply(world, "deny", reason="no")
    asyncio.run(world.settle())
    assert world.state() is RunState.SUCCEEDED
    assert world.states() == {"ok": "skipped", "send": "skipped", "tell": "skipped", "tidy": "succeeded"}
    reason = world.steps()["tell"].reason
    assert reason is not None
    assert reason.text == "it waits for step `ok` (denied by ana: no)"
    assert [one.step for one in world.began] == ["tidy"]


def test_a_denial_may_be_for_later_steps_to_judge(world: World) -> None:
    asked(world, ", on_deny: continue")
    assert reply(world, "deny", reason="no")
    asyncio.run(world.settle())
    assert world.state() is RunState.SUCCEEDED
    assert world.steps()["send"].output == "sent: deny by ana, no"


def test_the_first_answer_counts(world: World) -> None:
    asked(world)
    assert reply(world, "approve")
    assert not reply(world, "deny")
    asyncio.run(world.settle())
    assert not reply(world, "deny")
    assert world.state() is RunState.SUCCEEDED


def test_a_question_survives_kills_and_takes_no_place(world: World) -> None:
    """With one place in all another job runs meanwhile."""
    world.settings(limits=world.config.limits.__class__(runs=1))
    asked(world)

    async def story() -> None:
        await world.kill()
        await world.engine.recovery.run_once()
        world.job("steps: [{id: other, act: x}]", "other")
        world.start("other")
        await world.settle()
        assert world.state("other") is RunState.SUCCEEDED
        assert world.state() is RunState.WAITING
        assert reply(world, "approve")
        await world.kill()
        await world.settle()

    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED
    assert [one.step for one in world.began].count("draft") == 1


@pytest.mark.parametrize(
    ("keys", "state", "reason"),
    [
        ("", RunState.FAILED, "step `ok`: nobody answered in time: Send the plan?"),
        (", default: fail", RunState.FAILED, "step `ok`: nobody answered in time: Send the plan?"),
        (
            ", default: deny",
            RunState.FAILED,
            "step `ok`: nobody answered in time, so the answer is deny",
        ),
        (", default: approve", RunState.SUCCEEDED, "every step is done"),
    ],
)
def test_an_expired_question_is_over(world: World, keys: str, state: RunState, reason: str) -> None:
    asked(world, f", expires: 24h{keys}")
    at = question(world).expires_at
    assert at is not None
    world.at(at - SECOND)
    wake = asyncio.run(world.engine.dispatcher.run_once())
    assert wake == at  # the dispatcher sleeps no longer than that
    assert world.state() is RunState.WAITING
    world.at(at)
    assert not reply(world, "approve")  # too late, though nobody has noticed yet
    asyncio.run(world.settle())
    assert (world.state(), world.run().reason.text) == (state, reason)
    found = question(world)
    assert (found.state, found.answered_at) == (ApprovalState.EXPIRED, at)


def test_what_expires_while_no_daemon_runs_is_over_at_the_next_start(world: World) -> None:
    asked(world, ", expires: 1h, default: approve")

    async def story() -> None:
        await world.kill()
        world.at(world.clock.now() + 30 * HOUR)
        await world.settle()

    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED
    assert world.steps()["send"].output == "sent: approve by nobody, "


def test_a_cancelled_run_closes_its_question(world: World) -> None:
    asked(world)
    from rota.model.run import Reason

    world.real.write_now(lambda tx: tx.runs.request_cancel(world.run().id, Reason("cancelled", "by hand")))
    assert not reply(world, "approve")
    asyncio.run(world.settle())
    assert world.state() is RunState.CANCELLED
    assert question(world).state is ApprovalState.CANCELLED


def test_an_answer_may_come_while_other_steps_are_at_work(world: World) -> None:
    """It is not lost: the run goes on with it when they have ended."""
    world.job(
        "steps:\n  - {id: long, act: x}\n  - {id: ok, needs: [], approve: Well?}\n  - {id: after, act: x}\n"
    )
    go_on = asyncio.Event()

    async def long(_ctx: StepContext) -> StepResult:
        await go_on.wait()
        return Done()

    world.on("long", long)
    world.start()

    async def story() -> None:
        await world.engine.dispatcher.run_once()
        await world.until(lambda: world.real.read(lambda tx: tx.approvals.open()))
        assert len(world.messages()) == 0
        assert world.state() is RunState.RUNNING
        assert reply(world, "approve")
        go_on.set()
        await world.settle()

    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED
    assert world.states()["after"] == "succeeded"


def test_one_message_tells_of_a_question_and_how_to_answer(world: World) -> None:
    world.settings(notify=(Notify("mail"),))
    asked(world, ", choices: [approve, ship it, deny], expires: 2h, default: approve")
    (message,) = world.messages()
    run = world.run().id
    assert message.channel == "mail"
    assert message.title == "j: your answer is wanted"
    assert message.body.startswith("Send the plan?\n\nDear the plan\n\nAnswer:\n")
    assert f"\n  rota approve {run}\n" in message.body
    assert f"\n  rota approve {run} --choice 'ship it'\n" in message.body
    assert f"\n  rota deny {run} --reason ...\n" in message.body
    assert message.body.endswith("without one by then the answer is approve.")
    reply(world, "approve")
    asyncio.run(world.settle())
    assert len(world.messages()) == 1


def test_a_question_goes_to_the_channels_that_it_names(world: World) -> None:
    world.settings(notify=(Notify("mail"),))
    asked(world, ", notify: [chat]")
    assert [message.channel for message in world.messages()] == ["chat"]


def test_two_questions_of_a_run_are_told_of_and_answered_each(world: World) -> None:
    world.settings(notify=(Notify("mail"),))
    world.job("steps: [{id: a, needs: [], approve: A?}, {id: b, needs: [], approve: B?}]")
    world.start()
    asyncio.run(world.settle())
    assert sorted(message.body[:2] for message in world.messages()) == ["A?", "B?"]
    for one in world.real.read(lambda tx: tx.approvals.open()):
        assert reply(world, "approve", to=one)
        asyncio.run(world.settle())
    assert world.state() is RunState.SUCCEEDED
    assert len(world.messages()) == 2


def test_a_denied_run_is_not_made_again(world: World) -> None:
    world.job("retry_run: {attempts: 3, first: 1s}\n" + ASKS % "")
    world.start()
    asyncio.run(world.settle())
    assert reply(world, "deny", reason="no")
    asyncio.run(world.settle())
    world.clock.advance(3600)
    asyncio.run(world.settle())
    assert [run.state for run in world.runs()] == [RunState.FAILED]


def test_secrets_are_masked_in_what_is_shown(world: World) -> None:
    world.secrets.stored["TOKEN"] = "hunter2-hunter2"
    world.settings(notify=(Notify("mail"),))
    world.job("steps: [{id: ok, approve: With hunter2-hunter2?, preview: 'It is hunter2-hunter2.'}]")
    world.start()
    asyncio.run(world.settle())
    found = question(world)
    assert (found.question, found.preview) == ("With ***?", "It is ***.")
    assert world.messages()[0].body.startswith("With ***?\n\nIt is ***.\n\nAnswer:")
