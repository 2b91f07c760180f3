"""Keys that can be written in several ways mean the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rota.model.agent import Caps
from rota.model.budget import Budget, OnOver
from rota.model.job import CatchUp, CatchUpMode, Concurrency, Job, Notify, OnError, Param, Retry, Window
from rota.spec import FileResult

Parse = Callable[..., FileResult]
Good = Callable[..., Job]


@pytest.mark.parametrize(
    ("text", "retry"),
    [
        ("name: no key at all", Retry(1)),
        ("retry: false", Retry(1)),
        ("retry: true", Retry(3, "exponential", 10.0, 600.0)),
        ("retry: {}", Retry(3, "exponential", 10.0, 600.0)),
        ("retry: 5", Retry(5)),
        ("retry: {attempts: 2, backoff: fixed, first: 1s, max: 2s}", Retry(2, "fixed", 1.0, 2.0)),
        ("retry: {first: 0s}", Retry(3, first=0.0)),
        ("retry: {first: 1h}", Retry(3, first=3600.0, max=3600.0)),
        ("on_error: {retry: false}", Retry(1)),
        ("on_error: {retry: {attempts: 4}}", Retry(4)),
        ("retry: 4\non_error: {retry: 4}", Retry(4)),
    ],
)
def test_retry(job_of: Good, text: str, retry: Retry) -> None:
    assert job_of(f"{text}\nrun: x\n").retry == retry


@pytest.mark.parametrize(
    ("text", "catch_up"),
    [
        ("catch_up: none", CatchUp(CatchUpMode.NONE)),
        ("catch_up: false", CatchUp(CatchUpMode.NONE)),
        ("catch_up: {mode: all, within: 1d}", CatchUp(CatchUpMode.ALL, 86400.0)),
        ("catch_up: all\nwithin: 2h", CatchUp(CatchUpMode.ALL, 7200.0)),
        ("within: 2h", CatchUp(CatchUpMode.LATEST, 7200.0)),
    ],
)
def test_catch_up(job_of: Good, text: str, catch_up: CatchUp) -> None:
    assert job_of(f"{text}\nrun: x\n").catch_up == catch_up


@pytest.mark.parametrize(
    ("text", "group", "most"),
    [
        ("concurrency: llm", Concurrency("llm", 1), None),
        ("concurrency: {group: llm, limit: 3}", Concurrency("llm", 3), None),
        ("concurrency: {max_active: 2}", None, 2),
        ("max_active: 2", None, 2),
    ],
)
def test_concurrency(job_of: Good, text: str, group: Concurrency | None, most: int | None) -> None:
    job = job_of(f"{text}\nrun: x\n")
    assert (job.concurrency, job.max_active) == (group, most)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("params: {city: string, days: integer}", (Param("city"), Param("days", "integer"))),
        ("params: {city: }", (Param("city"),)),
        ("params: {days: {default: 7}}", (Param("days", "integer", 7),)),
        ("params: {rate: {type: number, default: 1}}", (Param("rate", "number", 1),)),
        ("params: {on: {default: true}}", (Param("on", "boolean", default=True),)),
        (
            "params: {city: {required: true, choices: [a, b], description: Where}}",
            (Param("city", required=True, choices=("a", "b"), description="Where"),),
        ),
        ("params: [city, {name: days, type: integer}]", (Param("city"), Param("days", "integer"))),
    ],
)
def test_params(job_of: Good, text: str, params: tuple[Param, ...]) -> None:
    assert job_of(f"{text}\nrun: x\n").params == params


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("notify: desktop", (Notify("desktop"),)),
        (
            "notify: {type: desktop, message: Hi, urgency: low}",
            (Notify("desktop", "Hi", config={"urgency": "low"}),),
        ),
        (
            "notify: [desktop, {type: desktop, when: failed}]",
            (Notify("desktop"), Notify("desktop", when="failed")),
        ),
        ("notify: false", ()),
        ("notify: {type: desktop, message: 5}", (Notify("desktop", "5"),)),
    ],
)
def test_notify(job_of: Good, text: str, found: tuple[Notify, ...]) -> None:
    assert job_of(f"{text}\nrun: x\n").notify == found


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("name: x", OnError(notify=True)),
        ("on_error: false", OnError(notify=False)),
        ("on_error: {notify: false}", OnError(notify=False)),
        ("on_error: desktop", OnError(channels=(Notify("desktop", when="failed"),))),
        (
            "on_error: {notify: [desktop], message: Oh}",
            OnError(notify=True, channels=(Notify("desktop", when="failed"),), message="Oh"),
        ),
        ("on_error: {message: Oh}", OnError(message="Oh")),
    ],
)
def test_on_error(job_of: Good, text: str, policy: OnError) -> None:
    assert job_of(f"{text}\nrun: x\n").on_error == policy


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("name: x", OnError(notify=False)),
        ("on_recovery: true", OnError(notify=True)),
        ("on_recovery: {message: Fine}", OnError(notify=True, message="Fine")),
        ("on_recovery: [desktop]", OnError(notify=True, channels=(Notify("desktop"),))),
    ],
)
def test_on_recovery(job_of: Good, text: str, policy: OnError) -> None:
    assert job_of(f"{text}\nrun: x\n").on_recovery == policy


@pytest.mark.parametrize("key", ["runs_on"])
def test_keys_of_later_versions_are_kept_and_told(parse: Parse, key: str) -> None:
    (parsed,) = parse(f"run: x\n{key}: [a, b]\n").jobs
    assert parsed.job.extra == {key: ["a", "b"]}
    assert parsed.warnings[0].startswith(f"line 2: `{key}` is read, but this version")


@pytest.mark.parametrize("key", ["window", "not_during"])
@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("22:00-06:00", Window(("22:00-06:00",))),
        ("[Sat, Mon-Fri 09:00-17:00]", Window(("Sat", "Mon-Fri 09:00-17:00"))),
        ("{times: Sun, otherwise: skip}", Window(("Sun",), skip=True)),
    ],
)
def test_windows(job_of: Good, key: str, text: str, window: Window) -> None:
    assert getattr(job_of(f"run: x\n{key}: {text}\n"), key) == window


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("{usd: 1}", Budget(run=Caps(usd=1))),
        ("{usd: 1, per: day, month: {tokens: 5}}", Budget(day=Caps(usd=1), month=Caps(tokens=5))),
        (
            "{run: {usd: .25, turns: 20}, day: {usd: 1}, week: {minutes: 90}, on_over: pause}",
            Budget(
                run=Caps(usd=0.25, turns=20),
                day=Caps(usd=1),
                week=Caps(minutes=90),
                on_over=OnOver.PAUSE,
            ),
        ),
        ("", Budget()),
    ],
)
def test_budgets(job_of: Good, text: str, budget: Budget) -> None:
    assert job_of(f"run: x\nbudget: {text}\n").budget == budget
