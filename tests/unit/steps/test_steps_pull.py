from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict

from rota.model.errors import StepError, TemplateError
from rota.ports.sources import Conflict
from rota.ports.steps import Done

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


# --- places: cursors, and what is new ------------------------------------------------------------


class Shelf:
    """A source with a cursor, whose content is in its keys."""

    key: ClassVar[str] = "shelf"
    params: ClassVar[type[BaseModel]] = FeedParams
    wants: ClassVar[tuple[str, ...]] = ("cursor", "source")
    target: ClassVar[str] = f"{__name__}:pull_shelf"


SHELF: dict[str, Any] = {}
ASKED: list[tuple[Any, str]] = []


def pull_shelf(
    config: dict[str, Any], workspace: str, now: str, timezone: str, *, cursor: object, source: str
) -> dict[str, Any]:
    ASKED.append((cursor, source))
    if "error" in SHELF:
        raise StepError(SHELF["error"], hint="later", retry_after=7.0)
    return {"text": "books", **SHELF}


@pytest.fixture
def shelf(bench: Bench) -> Bench:
    """The bench with an empty shelf."""
    bench.sources["shelf"] = Shelf()
    SHELF.clear()
    ASKED.clear()
    SHELF.update(items=[{"id": "a", "version": 1}, {"id": "b", "version": 1}], cursor="c1")
    return bench


def pulled(bench: Bench, **keys: Any) -> Done:
    """One step that succeeds, and so leaves its place."""
    done = bench.done({"pull": "shelf", **keys})
    asyncio.run(bench.states.put(done.kept))
    return done


def test_what_is_new_is_counted_since_the_last_pull_that_succeeded(shelf: Bench) -> None:
    assert pulled(shelf).values["new_items"] == 2
    assert pulled(shelf).values["new_items"] == 0
    SHELF["items"] = [{"id": "a", "version": 2}, {"id": "b", "version": 1}, {"id": "c", "version": 1}]
    assert shelf.done({"pull": "shelf"}).values["new_items"] == 2  # this step did not get to its end
    done = pulled(shelf)
    assert (done.values["new_items"], done.values["count"]) == (2, 3)
    assert pulled(shelf).values["new_items"] == 0


def test_a_source_that_gives_only_what_changed_is_remembered_whole(shelf: Bench) -> None:
    pulled(shelf)
    SHELF["items"] = [{"id": "c", "version": 1}]
    assert pulled(shelf).values["new_items"] == 1
    SHELF["items"] = [{"id": "a", "version": 1}, {"id": "c", "version": 1}]
    assert pulled(shelf).values["new_items"] == 0


def test_the_cursor_comes_back_to_its_own_consumer(shelf: Bench) -> None:
    pulled(shelf)
    SHELF["cursor"] = {"page": 2}
    pulled(shelf)
    pulled(shelf, days=3)
    pulled(shelf)
    assert [cursor for cursor, _source in ASKED] == [None, "c1", None, {"page": 2}]
    assert {source for _cursor, source in ASKED} == {"shelf"}


def test_a_secret_is_no_part_of_the_place_and_a_templates_result_drops_the_cursor(shelf: Bench) -> None:
    for url, book in (("one", "x"), ("two", "x"), ("two", "y"), ("two", "y")):
        shelf.secrets.stored = {"URL": url}
        done = shelf.done({"pull": "shelf", "url": "${URL}/{{ book }}"}, values={"book": book})
        asyncio.run(shelf.states.put(done.kept))
    assert [cursor for cursor, _source in ASKED] == [None, "c1", None, "c1"]
    assert len([name for name in shelf.states.kept if name.count(":") > 1]) == 1
    assert "one" not in str(shelf.states.kept)


def test_if_new_makes_nothing_of_nothing(shelf: Bench) -> None:
    first = pulled(shelf, if_new=True)
    assert (first.output, first.values["count"], first.values["unchanged"]) == ("books", 2, False)
    again = pulled(shelf, if_new=True)
    assert (again.output, again.values["items"], again.values["unchanged"]) == ("", [], True)
    assert b"nothing new since" in shelf.log
    assert ASKED[-1][0] == "c1"


def test_a_source_that_knows_that_it_is_unchanged_has_nothing_new(shelf: Bench) -> None:
    SHELF["unchanged"] = True
    done = pulled(shelf)
    assert (done.values["new_items"], done.values["unchanged"], done.values["count"]) == (0, True, 2)


def test_items_without_ids_are_told_apart_by_all_they_say(shelf: Bench) -> None:
    SHELF["items"] = [{"title": "a"}, {"title": "b"}]
    assert pulled(shelf).values["new_items"] == 2
    SHELF["items"] = [{"title": "a"}, {"title": "c"}]
    assert pulled(shelf).values["new_items"] == 1


def test_files_and_conflicts_are_put_out_logged_and_told(shelf: Bench) -> None:
    SHELF["files"] = ["resources/a.md"]
    SHELF["conflicts"] = [{"path": "resources/b.md", "beside": "resources/b.from-shelf.md", "version": "v"}]
    done = pulled(shelf)
    assert done.values["files"] == ["resources/a.md"]
    assert shelf.states.told == [Conflict("resources/b.md", "resources/b.from-shelf.md", "v")]
    assert b"resources/b.md was changed by hand" in shelf.log


def test_a_failure_is_remembered_for_the_list_of_sources(shelf: Bench) -> None:
    SHELF["error"] = "the shelf is closed"
    with pytest.raises(StepError) as caught:
        shelf.run({"pull": "shelf"})
    assert (caught.value.retry_after, caught.value.permanent) == (7.0, False)
    assert shelf.states.failures == {"shelf": "the shelf is closed"}
    assert shelf.states.kept == {}


@pytest.mark.parametrize(
    "answer", [{"items": [1]}, {"items": [], "conflicts": [{"path": "x"}]}, {"items": [], "files": 1}]
)
def test_a_source_whose_answer_has_another_shape_is_a_failure(shelf: Bench, answer: dict[str, Any]) -> None:
    SHELF.clear()
    SHELF.update(answer)
    with pytest.raises(StepError, match="did not return items and text") as caught:
        shelf.run({"pull": "shelf"})
    assert caught.value.permanent


# --- keys that a kind brings along ---------------------------------------------------------------


class MailParams(BaseModel):
    token: str
    spare: str | None = None


class Mail:
    """A source with keys of its own that name secrets."""

    key: ClassVar[str] = "mail"
    params: ClassVar[type[BaseModel]] = MailParams
    defaults: ClassVar[dict[str, str]] = {"token": "${MAIL_TOKEN}", "spare": "${MAIL_SPARE}"}
    target: ClassVar[str] = f"{__name__}:pull"


def test_a_kinds_own_keys_are_there_unless_somebody_sets_them(bench: Bench) -> None:
    bench.sources["mail"] = Mail()
    bench.secrets.stored = {"MAIL_TOKEN": "t0ken"}
    asked = bench.done({"pull": "mail"}).values["items"][0]["config"]
    assert asked == {"token": "t0ken"}  # the other one can be done without, and is not set
    bench.settings(sources={"mail": {"token": "fixed"}})
    bench.secrets.stored = {"MAIL_SPARE": "more"}
    assert bench.done({"pull": "mail"}).values["items"][0]["config"] == {"token": "fixed", "spare": "more"}


def test_a_key_that_a_kind_needs_names_the_secret_that_is_missing(bench: Bench) -> None:
    bench.sources["mail"] = Mail()
    with pytest.raises(TemplateError) as caught:
        bench.run({"pull": "mail"})
    assert "rota secret set MAIL_TOKEN" in (caught.value.hint or "")
    assert "MAIL_TOKEN" in bench.states.failures["mail"]
