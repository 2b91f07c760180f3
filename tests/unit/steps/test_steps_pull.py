from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict

from rota.model.errors import StepError

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench


class FeedParams(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = ""
    days: int = 1


class Feed:
    key: ClassVar[str] = "feed"
    params: ClassVar[type[BaseModel]] = FeedParams
    target: ClassVar[str] = f"{__name__}:pull"


def pull(config: dict[str, Any], workspace: str, now: str, timezone: str) -> dict[str, Any]:
    asked = {"config": config, "workspace": workspace, "now": now, "timezone": timezone}
    return {"items": [asked], "text": "# Feed", "note": "a note"}


def test_a_source_gives_items_and_text(bench: Bench) -> None:
    bench.sources["feed"] = Feed()
    result = bench.done({"pull": "feed", "days": "{{ params.days }}"}, values={"params": {"days": 14}})
    assert result.output == "# Feed"
    assert (result.values["count"], result.values["note"]) == (1, "a note")
    assert result.values["items"] == [
        {
            "config": {"days": 14},
            "workspace": str(bench.workspace),
            "now": "2026-11-18T11:06:40+00:00",
            "timezone": "Europe/London",
        }
    ]


def test_a_name_of_the_workspace_brings_defaults_that_the_step_overrides(bench: Bench) -> None:
    bench.sources["feed"] = Feed()
    bench.settings(sources={"work": {"type": "feed", "url": "${URL}", "days": 3}, "feed": {"days": 5}})
    bench.secrets.stored = {"URL": "https://s3cret"}
    asked = bench.done({"pull": "work", "days": 7}).values["items"][0]["config"]
    assert asked == {"url": "https://s3cret", "days": 7}
    assert bench.done({"pull": "feed"}).values["items"][0]["config"] == {"days": 5}


def test_a_value_that_names_a_secret_does_not_get_it(bench: Bench) -> None:
    bench.sources["feed"] = Feed()
    bench.secrets.stored = {"URL": "https://s3cret"}
    asked = bench.done({"pull": "feed", "url": "{{ payload.u }}"}, values={"payload": {"u": "${URL}"}})
    assert asked.values["items"][0]["config"]["url"] == "${URL}"


def test_an_unknown_source_offers_one_that_is_there(bench: Bench) -> None:
    bench.sources["feed"] = Feed()
    with pytest.raises(StepError, match="no source 'fed'") as caught:
        bench.run({"pull": "fed"})
    assert caught.value.hint == "did you mean feed?"
    bench.settings(sources={"work": {"type": "nope"}})
    with pytest.raises(StepError, match="kind of source 'nope'"):
        bench.run({"pull": "work"})


def test_a_bad_key_of_the_source_is_named_without_its_value(bench: Bench) -> None:
    bench.sources["feed"] = Feed()
    bench.secrets.stored = {"DAYS": "s3cret"}
    with pytest.raises(StepError, match="`days`") as caught:
        bench.run({"pull": "feed", "days": "${DAYS}"})
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(StepError, match="`dayz`"):
        bench.run({"pull": "feed", "dayz": 1})


@pytest.mark.parametrize("answer", [None, [], {"items": 1}, {"items": [], "text": None}])
def test_a_source_that_answers_something_else_is_a_failure(
    bench: Bench, answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def call(*_: object) -> object:
        return answer

    bench.sources["feed"] = Feed()
    monkeypatch.setattr(bench.hosts, "call", call)
    with pytest.raises(StepError, match="did not return items and text"):
        bench.run({"pull": "feed"})
