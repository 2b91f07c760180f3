"""A pull in a run: its place in the source moves on with the step's end, and never without it."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel
from tests.support.world import World

from rota.model.errors import StepError
from rota.model.job import Notify
from rota.ports.sources import Conflict, report_of

NEWS: dict[str, Any] = {}


class Keys(BaseModel):
    pass


class News:
    key: ClassVar[str] = "news"
    params: ClassVar[type[BaseModel]] = Keys
    wants: ClassVar[tuple[str, ...]] = ("cursor",)
    target: ClassVar[str] = f"{__name__}:pull_news"


def pull_news(config: dict[str, Any], workspace: str, now: str, timezone: str, cursor: Any) -> dict[str, Any]:
    if "error" in NEWS:
        raise StepError(NEWS["error"])
    number = (cursor or 0) + 1
    NEWS.get("then", int)()
    return {
        "items": [{"id": f"n{number}", "version": 1}],
        "text": f"from {cursor}",
        "cursor": number,
        "conflicts": NEWS.get("conflicts"),
    }


@pytest.fixture
def news(world: World) -> World:
    NEWS.clear()
    world.sources["news"] = News()
    world.engine = world.new_engine()
    return world


JOB = "schedule: manual\nsteps:\n  - pull: news\n"


def report(world: World) -> dict[str, Any]:
    found = world.real.read(lambda tx: tx.cursors.get(report_of("news")))
    assert isinstance(found, dict)
    return found


def ran(world: World, job_id: str = "j") -> str:
    world.start(job_id)
    asyncio.run(world.settle())
    return world.steps(world.run(job_id))["pull"].output


def test_each_run_goes_on_where_the_one_before_it_ended(news: World) -> None:
    news.job(JOB)
    news.job(JOB, "other")
    assert [ran(news), ran(news), ran(news, "other")] == ["from None", "from 1", "from None"]
    assert report(news)["consumer"] == "other/pull"


def test_a_step_whose_output_cannot_be_written_stays_where_it_was(news: World) -> None:
    news.job(f"{JOB}    output: '{{{{ params.path }}}}/x.md'\nparams: {{path: {{default: ok}}}}\n")
    (news.root / "file").write_text("")
    news.start(path="file")
    asyncio.run(news.settle())
    assert news.run().state.value == "failed"
    assert ran(news) == "from None"


def test_a_process_that_dies_before_the_steps_end_finds_the_same_news(news: World) -> None:
    news.job(JOB)
    news.start()
    NEWS["then"] = lambda: setattr(news.store, "dead", True)

    async def story() -> None:
        await news.engine.dispatcher.run_once()
        await news.until(lambda: news.store.dead)
        await news.kill()
        NEWS.clear()
        assert await news.engine.recovery.run_once() == 1
        await news.settle()

    asyncio.run(story())
    assert (news.steps()["pull"].output, news.steps()["pull"].attempts) == ("from None", 2)
    assert ran(news) == "from 1"


def test_a_failure_is_in_the_report_until_a_pull_works_and_without_secrets(news: World) -> None:
    news.secrets.stored = {"TOKEN": "s3cret-token"}
    news.job(JOB)
    NEWS["error"] = "nobody knows s3cret-token"
    ran(news)
    assert report(news)["error"] == "nobody knows ***"
    NEWS.clear()
    ran(news)
    assert "error" not in report(news)
    assert (report(news)["items"], report(news)["pulled_at"]) == (1, news.clock.now())


def test_a_conflict_is_told_once_to_each_of_the_workspaces_channels(news: World) -> None:
    news.settings(notify=(Notify("chat", config={"to": "me"}), Notify("mail")))
    news.job(JOB)
    NEWS["conflicts"] = [{"path": "resources/a.md", "beside": "resources/a.from-news.md", "version": "v1"}]
    ran(news)
    ran(news)
    assert [(m.channel, dict(m.config), m.state.value) for m in news.messages()] == [
        ("chat", {"to": "me"}, "sent"),
        ("mail", {}, "sent"),
    ]
    assert "resources/a.from-news.md" in news.messages()[0].body
    NEWS["conflicts"][0]["version"] = "v2"
    ran(news)
    assert len(news.messages()) == 4


def test_conflicts_without_channels_are_nobodys_message(news: World) -> None:
    states = news.engine.services.states
    asyncio.run(states.tell("news", [Conflict("a", "b", "v")], news.config))
    assert news.messages() == []
