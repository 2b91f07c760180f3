"""Triggers that poll: a run for each item that is new, none for a source that is as it was, and word when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel
from tests.support.world import World

from rota.engine.core import Engine
from rota.model.errors import StepError
from rota.model.instants import HOUR, MINUTE, SECOND, Micros
from rota.model.job import Notify
from rota.model.looks import LookRecord
from rota.planning.polls import backoff
from rota.ports.processes import HostCall

Item = dict[str, Any]
FEEDS: dict[str, Any] = {}
POLL = "on: [{poll: feed, every: 15m}]\nact: '{{ item.event }} {{ item.title }}'\n"


class Keys(BaseModel):
    of: str = "main"
    key: str = ""


class Feed:
    key: ClassVar[str] = "feed"
    params: ClassVar[type[BaseModel]] = Keys
    wants: ClassVar[tuple[str, ...]] = ("cursor",)
    target: ClassVar[str] = f"{__name__}:pull_feed"


def pull_feed(config: dict[str, Any], workspace: str, now: str, timezone: str, cursor: Any) -> dict[str, Any]:
    """Items by the name that the test gave them; the cursor is how many there were, an ETag of sorts."""
    name = config.get("of", "main")
    FEEDS.setdefault("asked", []).append(name)
    if (error := FEEDS.get("error")) is not None:
        raise error
    items: list[Item] = FEEDS.get(name, [])
    if cursor is not None and cursor == FEEDS.get("etag"):
        return {"items": [], "text": "", "unchanged": True, "cursor": cursor}
    return {"items": items, "text": "", "cursor": FEEDS.get("etag")}


def item(name: str, version: int = 1) -> Item:
    return {"id": name, "version": version, "title": f"Title {name}"}


@pytest.fixture
def feed(world: World) -> Iterator[World]:
    FEEDS.clear()
    world.sources["feed"] = Feed()
    world.engine = world.new_engine()
    yield world
    FEEDS.clear()


def once(world: World, engine: Engine | None = None) -> Micros | None:
    """Passes, and the polls that they begin, to their end."""
    polls = (engine or world.engine).polls

    async def work() -> Micros | None:
        polls.refresh()
        await polls.run_once()
        world.clock.advance(1)  # those that are spread
        while True:
            wake_at = await polls.run_once()
            tasks = [held.task for held in polls._held.values() if held.task is not None]
            if not tasks:
                return wake_at
            await asyncio.gather(*tasks)

    return asyncio.run(work())


def later(world: World, minutes: float = 16) -> None:
    """Time passes, and what is due is polled and run."""
    world.clock.advance(minutes * 60)
    once(world)
    asyncio.run(world.settle(300))


def done(world: World) -> list[str]:
    return [began.text for began in world.began]


def look(world: World) -> LookRecord:
    """As the state has it."""
    return world.real.read(lambda tx: tx.looks.of("j"))[0]


def test_what_is_there_at_first_is_where_it_begins(feed: World) -> None:
    FEEDS["main"] = [item("a"), item("b")]
    feed.job(POLL)
    later(feed)
    assert done(feed) == []
    FEEDS["main"] = [item("a"), item("b"), item("c")]
    later(feed)
    assert done(feed) == ["added Title c"]
    (row,) = feed.ledger()
    assert (row.key, row.reason.code, row.reason.text) == ("c@1", "poll", "feed: Title c is new")


def test_initial_takes_what_is_there(feed: World) -> None:
    FEEDS["main"] = [item("a"), item("b")]
    feed.job("on: [{poll: feed, initial: true}]\nact: '{{ item.title }}'\n")
    later(feed)
    assert done(feed) == ["Title a", "Title b"]
    later(feed)
    assert len(feed.runs()) == 2


def test_an_item_that_changed_is_a_call_of_its_own(feed: World) -> None:
    FEEDS["main"] = [item("a")]
    feed.job(POLL)
    feed.job("on: [{poll: feed, events: added}]\nact: '{{ item.title }}'\n", "added-only")
    later(feed)
    FEEDS["main"] = [item("a", 2)]
    later(feed)
    assert done(feed) == ["changed Title a"]
    assert feed.ledger("added-only") == []


def test_a_batch_is_one_run_for_all_that_is_new(feed: World) -> None:
    feed.job("on: [{poll: feed, batch: true}]\nact: '{{ items | length }}: {{ items[0].title }}'\n")
    later(feed)
    FEEDS["main"] = [item(name) for name in "abcd"]
    later(feed)
    assert done(feed) == ["4: Title a"]
    assert feed.ledger()[0].reason.text == "4 items were found: Title a, Title b, Title c and 1 more"


def test_a_source_that_is_as_it_was_starts_nothing_and_costs_one_commit_a_minute(feed: World) -> None:
    FEEDS["main"], FEEDS["etag"] = [item("a")], "one"
    for number in range(20):
        feed.job(f"on: [{{poll: feed, every: 10s, of: 'main', key: k{number}}}]\nact: x\n", f"j{number}")
    later(feed, 1)
    before, asked = feed.store.writes, len(FEEDS["asked"])
    for _ in range(30):
        later(feed, 1 / 6)
    polls = len(FEEDS["asked"]) - asked
    assert polls >= 500
    assert feed.store.writes - before <= 6
    assert all(feed.runs(f"j{number}") == [] == feed.ledger(f"j{number}") for number in range(20))


def test_when_the_last_poll_was_is_known_to_others_in_time(feed: World) -> None:
    feed.job(POLL)
    later(feed)
    later(feed)
    later(feed, 2)
    at = look(feed).looked_at
    assert at is not None
    assert feed.clock.now() - at < 5 * MINUTE


def test_nothing_is_lost_or_doubled_by_a_death_between_pull_and_write(feed: World) -> None:
    feed.job(POLL)
    later(feed)
    FEEDS["main"] = [item("a")]
    feed.store.dead = True
    feed.clock.advance(16 * 60)
    once(feed)
    asyncio.run(feed.kill())
    assert feed.runs() == []
    later(feed, 0)
    assert done(feed) == ["added Title a"]
    asyncio.run(feed.kill())
    later(feed)
    assert len(feed.runs()) == 1


def test_two_that_poll_at_the_same_time_start_one_run(feed: World) -> None:
    feed.job(POLL)
    later(feed)
    FEEDS["main"] = [item("a")]
    feed.clock.advance(16 * 60)
    second = feed.new_engine()
    once(feed)
    once(feed, second)
    assert len(feed.runs()) == len(feed.ledger()) == 1


def test_a_down_time_is_one_look_at_the_start(feed: World) -> None:
    feed.job(POLL)
    later(feed)
    asyncio.run(feed.kill())
    FEEDS["main"] = [item("a")]
    asked = len(FEEDS["asked"])
    later(feed, 60 * 24)
    assert len(FEEDS["asked"]) == asked + 1
    assert done(feed) == ["added Title a"]


def test_more_items_than_the_queue_takes_wait_for_their_place(feed: World) -> None:
    feed.job(POLL)
    later(feed)
    FEEDS["main"] = [item(f"{number:03}") for number in range(350)]
    for _ in range(8):
        later(feed)
    assert sorted(done(feed)) == [f"added Title {number:03}" for number in range(350)]
    assert {row.outcome.value for row in feed.ledger()} == {"ran"}
    assert feed.real.read(lambda tx: tx.looks.seen("j", "poll")) == {}


def test_a_paused_job_polls_nothing(feed: World) -> None:
    feed.job(POLL)
    later(feed)
    feed.pause()
    FEEDS["main"] = [item("a")]
    asked = len(FEEDS["asked"])
    later(feed)
    assert len(FEEDS["asked"]) == asked
    feed.resume()
    later(feed)
    assert done(feed) == ["added Title a"]


def test_another_configuration_begins_anew(feed: World) -> None:
    FEEDS["main"], FEEDS["other"] = [item("a")], [item("x"), item("y")]
    feed.job(POLL)
    later(feed)
    feed.job("on: [{poll: feed, every: 15m, of: other}]\nact: '{{ item.title }}'\n")
    later(feed)
    assert done(feed) == []
    FEEDS["other"].append(item("z"))
    later(feed)
    assert done(feed) == ["Title z"]


def fail(world: World, times: int, error: StepError | None = None) -> None:
    FEEDS["error"] = error or StepError("the server is away")
    for _ in range(times):
        later(world, 24 * 60)


def test_it_is_told_once_that_a_source_fails_and_once_that_it_works_again(feed: World) -> None:
    feed.settings(notify=(Notify("mail"),))
    feed.job(f"notify: [chat]\n{POLL}")
    later(feed)
    fail(feed, 1)
    assert feed.messages() == []
    fail(feed, 5)
    (message,) = feed.messages()
    assert message.channel == "chat"
    assert "`j`: polling feed failed" in message.body
    assert "the server is away" in message.body
    del FEEDS["error"]
    FEEDS["main"] = [item("a")]
    later(feed, 24 * 60)
    later(feed, 24 * 60)
    told = [message.body for message in feed.messages() if "poll:" in message.key]
    assert len(told) == 2
    assert "works again, after 6 days" in told[1]
    assert done(feed) == ["added Title a"]


@pytest.mark.parametrize(
    ("keys", "channels"),
    [("on_error: {notify: [mail]}\n", ["mail"]), ("on_error: false\nnotify: [chat]\n", []), ("", ["mail"])],
)
def test_it_goes_where_errors_go(feed: World, keys: str, channels: list[str]) -> None:
    feed.settings(notify=(Notify("mail"),))
    feed.job(keys + POLL)
    fail(feed, 4)
    assert [message.channel for message in feed.messages()] == channels


def test_what_no_patience_mends_is_told_at_once(feed: World) -> None:
    feed.settings(notify=(Notify("mail"),))
    feed.job(POLL)
    feed.secrets.stored["TOKEN"] = "s3cr3t-token"
    fail(feed, 1, StepError("the token s3cr3t-token is wrong", permanent=True))
    (message,) = feed.messages()
    assert "the token *** is wrong" in message.body
    assert "s3cr3t" not in (look(feed).error or "")


def test_a_failing_source_is_asked_ever_more_seldom_and_when_it_says(feed: World) -> None:
    feed.job("on: [{poll: feed, every: 1m}]\nact: x\n")
    later(feed)
    FEEDS["error"] = StepError("away")
    FEEDS["asked"] = []
    for _ in range(60):
        later(feed, 1)
    assert len(FEEDS["asked"]) == 6, "after 1, 2, 4, 8, 16 and 32 minutes"
    FEEDS["error"] = StepError("not so fast", retry_after=7200.0)
    later(feed, 60)
    asked = len(FEEDS["asked"])
    later(feed, 119)
    assert len(FEEDS["asked"]) == asked
    later(feed, 2)
    assert len(FEEDS["asked"]) == asked + 1


def test_backoff_has_its_bounds() -> None:
    assert backoff(1, MINUTE, None) == MINUTE
    assert backoff(3, MINUTE, None) == 4 * MINUTE
    assert backoff(1000, MINUTE, None) == HOUR
    assert backoff(1000, 24 * HOUR, None) == 24 * HOUR
    assert backoff(1, MINUTE, 10.0) == MINUTE
    assert backoff(1, MINUTE, 10.0**9) == 24 * HOUR


def test_a_source_that_hangs_delays_no_other_and_is_given_up(
    feed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        feed.job(
            f"on: [{{poll: feed, every: 1h, of: hang, key: k{number}, timeout: 1h}}]\nact: x\n",
            f"slow{number}",
        )
    for number in range(12):
        feed.job(f"on: [{{poll: feed, every: 1m, key: k{number}}}]\nact: x\n", f"quick{number}")
    release = asyncio.Event()
    call = feed.hosts.call
    asked: list[str] = []

    async def hanging(host_call: HostCall, on_output: Any) -> Any:
        name = host_call.kwargs["config"].get("of", "main")
        asked.append(name)
        if name == "hang":
            await release.wait()
        return await call(host_call, on_output)

    monkeypatch.setattr(feed.hosts, "call", hanging)

    async def work() -> None:
        polls = feed.engine.polls
        polls._read(feed.clock.now(), spread=False)
        for held in polls._held.values():
            held.is_slow = held.record.job_id.startswith("slow")  # as the last time showed
        for _ in range(40):
            await polls.run_once()
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
        assert asked.count("main") >= 12
        assert asked.count("hang") == 4
        release.set()
        await polls.stop()

    asyncio.run(work())


def test_a_poll_that_takes_too_long_is_ended(feed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    feed.job("on: [{poll: feed, every: 1m, timeout: 10ms}]\nact: x\n")

    async def hanging(_call: HostCall, _on_output: Any) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(feed.hosts, "call", hanging)
    feed.clock.advance(120)
    once(feed)
    assert look(feed).error == "no answer within 0.01 s"


def test_items_are_kept_without_secrets_and_without_endless_texts(feed: World) -> None:
    feed.secrets.stored["TOKEN"] = "s3cr3t-token"
    feed.job(POLL)
    later(feed)
    FEEDS["main"] = [{**item("a"), "body": "x" * 1_000_000, "more": {"said": "the s3cr3t-token"}}]
    later(feed)
    kept = feed.run().inputs["item"]
    assert len(kept["body"]) == 64_000
    assert kept["more"] == {"said": "the ***"}


def test_polls_that_begin_together_drift_apart(feed: World) -> None:
    for number in range(50):
        feed.job(f"on: [{{poll: feed, every: 1h, key: k{number}}}]\nact: x\n", f"j{number}")
    later(feed, 1)
    dues = sorted(held.due or 0 for held in feed.engine.polls._held.values())
    assert dues[-1] - dues[0] > 20 * MINUTE
    assert len({due // SECOND for due in dues}) > 30


def test_a_cron_says_when_it_looks(feed: World) -> None:
    feed.job('on: [{poll: feed, cron: "0 * * * *"}]\nact: "{{ item.title }}"\n')
    later(feed, 0)  # 11:06, the first look
    asked = len(FEEDS["asked"])
    later(feed, 50)
    assert len(FEEDS["asked"]) == asked
    later(feed, 5)
    assert len(FEEDS["asked"]) == asked + 1


def test_a_pass_without_a_daemon_polls_what_is_due(feed: World) -> None:
    feed.job(POLL)
    asyncio.run(feed.engine.polls.run_dry())
    asyncio.run(feed.new_engine().polls.run_dry())
    assert len(FEEDS["asked"]) == 1
    FEEDS["main"] = [item("a")]
    feed.clock.advance(16 * 60)
    asyncio.run(feed.new_engine().polls.run_dry())
    asyncio.run(feed.settle())
    assert done(feed) == ["added Title a"]


def test_a_change_of_the_job_meanwhile_is_not_overlooked(feed: World) -> None:
    job = feed.job(POLL)
    later(feed)
    FEEDS["main"] = [item("a")]
    write = feed.engine.polls._write

    async def meanwhile(*args: Any) -> Any:
        feed.put(replace(job, description="edited"))
        return await write(*args)

    feed.engine.polls._write = meanwhile  # type: ignore[method-assign,assignment] # a change at the worst moment
    feed.clock.advance(16 * 60)
    once(feed)
    feed.engine.polls._write = write  # type: ignore[method-assign] # only once
    later(feed)
    assert done(feed) == ["added Title a"]
