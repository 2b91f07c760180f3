"""A job that fails again and again is paused, and somebody is told; a paused job starts nothing by itself."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.world import World

from rota.model.message import Message
from rota.model.run import Reason, RunState
from rota.ports.steps import Done, Failed

STEP = "steps: [{id: a, act: x}]\n"
EVERY = "schedule: every 10m\n" + STEP
WRONG = Failed(Reason("bad_credentials", "the token is wrong"))


def fail(world: World, times: int, job_id: str = "j") -> None:
    world.on("a", WRONG)
    for _ in range(times):
        world.start(job_id)
        asyncio.run(world.settle())


def status(world: World) -> str:
    record = world.record()
    assert record is not None
    return record.status


def pauses(world: World) -> list[Message]:
    return [message for message in world.messages() if "paused" in message.key]


def test_the_message_names_the_job_the_number_the_last_reason_and_the_way_back(world: World) -> None:
    world.settings(max_failures=3)
    world.job("name: Nightly backup\nnotify: [chat]\n" + STEP)
    fail(world, 3)
    (message,) = pauses(world)
    assert message.title == "Nightly backup: paused"
    assert message.channel == "chat"
    for words in ("`j`", "3 runs in a row failed", "the token is wrong", "rota resume j"):
        assert words in message.body
    assert message.body in world.hosts.bodies


@pytest.mark.parametrize(
    ("keys", "channels"),
    [
        ("on_error: {notify: [mail]}\nnotify: [chat]\n", ["mail"]),
        ("notify: [chat, {type: mail, condition: 'false', when: failed}]\n", ["chat", "mail"]),
        ("on_error: false\nnotify: [chat]\n", ["chat"]),
        ("", ["mail"]),
    ],
)
def test_it_goes_where_errors_go(world: World, keys: str, channels: list[str]) -> None:
    world.job("id: settings\nnotify: [mail]\n" + STEP, "settings")  # only to have its channel read
    whole = world.engine.scheduler._definitions.get(world.record("settings").hash)  # type: ignore[union-attr] # it is there
    world.settings(max_failures=1, notify=whole.notify)
    world.job(keys + STEP)
    fail(world, 1)
    assert sorted(message.channel for message in pauses(world)) == channels
    assert all("its run failed" in message.body for message in pauses(world))


def test_a_jobs_own_number_goes_before_that_of_the_settings_and_zero_is_never(world: World) -> None:
    world.settings(max_failures=2)
    world.job("max_failures: 0\n" + STEP)
    fail(world, 4)
    assert status(world) == "active"
    world.job("max_failures: 5\n" + STEP)
    fail(world, 1)
    assert status(world) == "paused"


def test_a_success_and_a_resume_start_the_count_anew(world: World) -> None:
    world.settings(max_failures=2)
    world.job(STEP)
    world.on("a", [WRONG, Done(), WRONG])
    for _ in range(3):
        world.start()
        asyncio.run(world.settle())
    assert status(world) == "active"
    fail(world, 1)
    assert status(world) == "paused"
    world.clock.advance(60)
    world.resume()
    fail(world, 1)
    assert status(world) == "active", "one failure since it was resumed"
    fail(world, 1)
    assert status(world) == "paused"
    assert len(pauses(world)) == len({message.key for message in pauses(world)})


def test_a_failure_of_a_job_that_is_paused_already_tells_of_no_pause(world: World) -> None:
    world.settings(max_failures=2)
    world.job("notify: [chat]\n" + STEP)
    fail(world, 4)
    assert len(pauses(world)) == 1


def test_what_waits_its_turn_is_called_off_by_the_pause(world: World) -> None:
    world.settings(max_failures=3)
    world.job("catch_up: all\n" + EVERY)
    world.on("a", WRONG)
    world.clock.advance(2 * 3600 + 5)
    asyncio.run(world.settle())
    assert [run.state for run in world.runs()].count(RunState.FAILED) == 3
    assert world.outcomes() == [("ran", "caught_up")] * 3 + [("skipped", "paused")] * 9, "the oldest ran"


def test_nobody_is_told_of_what_a_pause_calls_off_and_nothing_follows_it(world: World) -> None:
    world.job("jitter: 5m\nnotify: [{type: chat, when: finished}]\n" + EVERY)
    world.job("id: next\non: [{job: j, when: finished}]\n" + STEP, "next")
    world.clock.advance(600)
    asyncio.run(world.engine.scheduler.run_once())
    world.pause()
    asyncio.run(world.settle())
    assert world.state() is RunState.CANCELLED
    assert world.messages() == []
    assert world.runs("next") == []


def test_a_pause_by_hand_calls_off_what_triggers_called_for_but_not_what_a_person_did(world: World) -> None:
    world.job("jitter: 5m\noverlap: queue\n" + EVERY)
    world.clock.advance(600)
    asyncio.run(world.engine.scheduler.run_once())
    world.start()
    world.pause()
    world.clock.advance(600)
    asyncio.run(world.settle())
    assert [run.state for run in world.runs()] == [RunState.SUCCEEDED, RunState.CANCELLED]
    assert ("skipped", "paused") in world.outcomes()


def test_a_run_that_was_put_off_does_not_start_in_a_job_that_was_disabled_meanwhile(world: World) -> None:
    world.job("jitter: 5m\n" + EVERY)
    world.clock.advance(600)
    asyncio.run(world.engine.scheduler.run_once())
    world.job("enabled: false\njitter: 5m\n" + EVERY)
    world.clock.advance(600)
    asyncio.run(world.settle())
    assert world.began == []
    assert world.outcomes() == [("skipped", "disabled")]


def test_attempts_at_one_occurrence_are_one_failure(world: World) -> None:
    world.settings(max_failures=2)
    world.job("retry_run: {attempts: 3, first: 1s, backoff: fixed}\n" + STEP)
    world.on("a", WRONG)

    async def until_it_gives_up() -> None:
        for _ in range(4):
            await world.settle()
            world.clock.advance(2)

    world.start()
    asyncio.run(until_it_gives_up())
    assert len(world.runs()) == 3
    assert status(world) == "active"
    world.start()
    asyncio.run(until_it_gives_up())
    assert status(world) == "paused"
