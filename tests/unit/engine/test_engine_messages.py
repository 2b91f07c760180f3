"""Who is told what at the end of a run, and how messages reach their channels whatever happens to these."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.world import World

from rota.model.errors import StepError
from rota.model.job import Notify
from rota.model.message import MessageState
from rota.model.run import Reason, RunState
from rota.ports.processes import HostCall
from rota.ports.steps import Failed, Waiting

STEP = "steps: [{id: a, act: hello}]\n"
BROKEN = Failed(Reason("exit_nonzero", "exit code 2"))
ASKS = Waiting("prompt", "well?", Reason("inbox", "waits for an answer"))


def told(world: World, text: str, *results: object) -> list[tuple[str, str]]:
    """Channel and text of what is sent when the job runs once for each result of step a."""
    world.job(text)
    if results:
        world.on("a", list(results))  # type: ignore[arg-type] # results of steps
    for _ in results or (None,):
        world.start()
        asyncio.run(world.settle())
    return [(message.channel, message.body) for message in world.messages()]


def test_success_is_told_to_the_jobs_channels(world: World) -> None:
    text = 'notify: [{type: chat, message: "said {{ steps.a.output }}"}, mail]\n' + STEP
    assert sorted(told(world, text)) == [("chat", "said hello"), ("mail", "j: succeeded")]
    assert sorted(world.hosts.bodies) == ["j: succeeded", "said hello"]
    assert {message.state for message in world.messages()} == {MessageState.SENT}


def test_failure_is_told_to_the_same_channels_with_the_reason(world: World) -> None:
    assert told(world, "notify: [chat]\n" + STEP, BROKEN) == [("chat", "Failed: step `a`: exit code 2")]


def test_failure_goes_to_the_default_channels_where_the_job_names_none(world: World) -> None:
    world.settings(notify=(Notify("mail"),))
    assert told(world, STEP, BROKEN) == [("mail", "Failed: step `a`: exit code 2")]


def test_failure_is_told_once_to_a_channel_that_asked_for_it_itself(world: World) -> None:
    text = 'notify: [{type: chat, when: failed, message: "oh no: {{ reason }}"}]\n' + STEP
    assert told(world, text, BROKEN) == [("chat", "oh no: step `a`: exit code 2")]


def test_failure_is_told_to_the_channels_of_on_error_too(world: World) -> None:
    text = "notify: [{type: chat, when: failed, message: own}]\non_error: {notify: [mail]}\n" + STEP
    assert [channel for channel, _ in told(world, text, BROKEN)] == ["chat", "mail"]


def test_failure_is_told_where_the_jobs_own_condition_says_nothing(world: World) -> None:
    text = 'notify: [{type: chat, when: finished, condition: "n > 0", message: "{{ n }} new"}]\n' + STEP
    (message,) = told(world, text, BROKEN)
    assert message == ("chat", "Failed: step `a`: exit code 2")


def test_on_error_can_be_silent(world: World) -> None:
    assert told(world, "notify: [chat]\non_error: {notify: false}\n" + STEP, BROKEN) == []


def test_recovery_is_told_when_asked_for(world: World) -> None:
    text = "on_recovery: {notify: [mail]}\non_error: {notify: false}\n" + STEP
    from rota.ports.steps import Done

    assert told(world, text, BROKEN, Done(), Done()) == [("mail", "Works again.")]


def test_every_question_is_told_of_once(world: World) -> None:
    world.job("on_error: {notify: [chat]}\nsteps: [{id: a, act: x}, {id: b, act: y}]\n")
    world.on("a", ASKS)
    world.on("b", ASKS)
    world.start()
    asyncio.run(world.settle())
    asyncio.run(world.settle())
    assert len(world.messages()) == 1
    world.answer(world.run(), "a", "yes")
    asyncio.run(world.settle())
    assert world.state() is RunState.WAITING
    run = world.run().id
    how = f"`rota inbox take {run}` prints the prompt, `rota inbox done {run} --output FILE` answers it."
    assert [m.body for m in world.messages()] == [
        f"Waiting for an answer: step `a`: waits for an answer. {how}",
        f"Waiting for an answer: step `b`: waits for an answer. {how}",
    ]


def test_a_channel_may_ask_to_be_told_of_waits_in_its_own_words(world: World) -> None:
    text = "notify: [{type: chat, when: waiting, message: please look}]\n" + STEP
    assert told(world, text, ASKS) == [("chat", "please look")]


def test_a_retry_is_nobodys_concern(world: World) -> None:
    assert told(world, "notify: [chat]\nretry: {attempts: 2}\n" + STEP, BROKEN) == []


@pytest.mark.parametrize(("new", "sent"), [(0, []), (3, [("chat", "3 new")])])
def test_a_condition_sees_what_the_steps_put_out(world: World, new: int, sent: list[tuple[str, str]]) -> None:
    from rota.ports.steps import Done

    text = 'notify: [{type: chat, condition: "new_items > 0", message: "{{ new_items }} new"}]\n' + STEP
    assert told(world, text, Done("", {"new_items": new})) == sent


def test_a_template_that_cannot_be_filled_is_sent_all_the_same_and_says_so(world: World) -> None:
    ((_, body),) = told(world, 'notify: [{type: chat, message: "{{ payload.x.y }}"}]\n' + STEP)
    assert body.startswith("j: succeeded (the message itself could not be rendered:")


def test_what_a_step_printed_is_no_template(world: World) -> None:
    broken = Failed(Reason("exit_nonzero", "{{ 7 * 7 }} ${TOKEN}"))
    world.secrets.stored["TOKEN"] = "hunter2-hunter2"
    told(world, "notify: [chat]\n" + STEP, broken)
    assert world.hosts.bodies == ["Failed: step `a`: {{ 7 * 7 }} ${TOKEN}"]


def test_secrets_are_filled_in_for_the_channel_alone(world: World) -> None:
    world.secrets.stored["HOOK"] = "hunter2-hunter2"
    told(world, 'notify: [{type: chat, to: "${HOOK}"}]\n' + STEP)
    assert world.hosts.calls[0].kwargs["config"] == {"to": "hunter2-hunter2"}
    assert world.messages()[0].config == {"to": "${HOOK}"}


def test_a_notify_step_sends_once_however_often_it_is_tried(world: World) -> None:
    world.job("steps: [{id: a, notify: {type: chat, message: hi}, on_interrupt: retry}]\n")
    world.start()

    async def story() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "rota.engine.executor.Executor._settle", lambda *_: world.store.__setattr__("dead", True)
            )
            await world.engine.dispatcher.run_once()
            await world.idle()
        await world.kill()
        await world.engine.recovery.run_once()
        await world.settle()

    asyncio.run(story())
    assert world.steps()["a"].attempts == 2
    assert world.hosts.bodies == ["hi"]


def test_a_channel_that_fails_is_tried_later_and_the_run_is_not(world: World) -> None:
    failing = [True]

    def deliver(_call: HostCall) -> None:
        if failing:
            raise StepError("503 hunter2-hunter2")

    world.secrets.stored["TOKEN"] = "hunter2-hunter2"
    world.hosts.deliver = deliver
    told(world, "notify: [chat]\n" + STEP)
    (message,) = world.messages()
    assert (message.state, message.error, message.attempts) == (MessageState.PENDING, "503 ***", 1)
    assert world.state() is RunState.SUCCEEDED
    failing.clear()
    world.clock.advance(61)
    asyncio.run(world.settle())
    asyncio.run(world.settle())
    assert world.messages()[0].state is MessageState.SENT
    assert len(world.hosts.calls) == 2
    assert len(world.began) == 1


def test_a_permanent_failure_is_given_up(world: World) -> None:
    def deliver(_call: HostCall) -> None:
        raise StepError("401: the token is wrong", permanent=True)

    world.hosts.deliver = deliver
    told(world, "notify: [chat]\n" + STEP)
    assert world.messages()[0].state is MessageState.FAILED
    assert len(world.hosts.calls) == 1


def test_a_channel_that_does_not_exist_is_given_up_with_the_reason(world: World) -> None:
    world.job("notify: [chat]\n" + STEP)
    world.engine.services.channels.pop("chat")  # type: ignore[attr-defined]
    world.start()
    asyncio.run(world.settle())
    (message,) = world.messages()
    assert message.state is MessageState.FAILED
    assert "no channel `chat`" in (message.error or "")


def test_a_channel_that_hangs_delays_no_other_message_and_no_run(world: World) -> None:
    world.job("notify: [chat]\noverlap: allow\n" + STEP)
    world.job("id: k\nnotify: [mail]\n" + STEP, "k")

    async def deliver(call: HostCall) -> None:
        if call.kwargs["about"]["job"] == "j":
            await asyncio.Event().wait()

    world.hosts.deliver = deliver

    async def story() -> None:
        for _ in range(30):
            world.start()
            await world.engine.dispatcher.run_once()
            await world.idle()
        await world.engine.outbox.run_once()
        world.start("k")
        await world.engine.dispatcher.run_once()
        await world.idle()
        soon = await world.engine.outbox.run_once()
        assert soon is not None
        assert soon > world.clock.now()
        await world.until(lambda: world.messages()[-1].state is MessageState.SENT)
        await world.engine.outbox.drain(0.0)

    asyncio.run(story())
    assert world.messages()[-1].channel == "mail"
    assert {message.state for message in world.messages()[:-1]} == {MessageState.PENDING}


def test_a_message_under_way_when_its_process_was_killed_is_sent_later(world: World) -> None:
    world.job("notify: [chat]\n" + STEP)
    world.start()

    async def hangs(_call: HostCall) -> None:
        await asyncio.Event().wait()

    async def story() -> None:
        world.hosts.deliver = hangs
        await world.engine.dispatcher.run_once()
        await world.idle()
        await world.engine.outbox.run_once()
        await world.until(lambda: world.hosts.calls)
        world.store.dead = True
        await world.engine.outbox.drain(0.0)
        world.engine = world.new_engine()
        world.hosts.deliver = lambda _call: None
        assert world.messages()[0].state is MessageState.SENDING
        world.clock.advance(121)
        await world.engine.recovery.run_once()
        await world.settle()

    asyncio.run(story())
    assert world.messages()[0].state is MessageState.SENT
    assert world.state() is RunState.SUCCEEDED


def test_secrets_that_cannot_be_read_lose_no_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.job("notify: [chat]\n" + STEP)
    world.start()

    async def story() -> None:
        await world.engine.dispatcher.run_once()
        await world.idle()
        with monkeypatch.context() as patch:
            patch.setattr(world.secrets, "known", lambda: 1 / 0)
            await world.engine.outbox.run_once()
            await world.engine.outbox.drain(1.0)
        assert world.messages()[0].state is MessageState.PENDING
        world.clock.advance(61)
        await world.settle()

    asyncio.run(story())
    assert world.messages()[0].state is MessageState.SENT
