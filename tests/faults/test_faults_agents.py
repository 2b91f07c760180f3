"""The models' APIs fail in all the ways that they do: each runner says what it was, tries again where that helps, pays once.

The cases of a runner go on side by side in one workspace, real client against stub server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.agent_bench import Bench, Ended, Going, bench
from tests.support.clients import CLIENTS, Client
from tests.support.model_server import ModelServer, serving

# Seconds of a silent API. On a busy machine node alone takes longer to start, which counts for pi.
PATIENCE = {"pi": 12.0}
AGAIN = {"attempts": 3, "first": "1s", "backoff": "fixed"}
# Tried with all of it; the wires of the builtin agent besides the first are tried where they differ.
WHOLE = ("command", "builtin", "claude", "codex", "pi")
WIRES = ("builtin-chat", "builtin-responses")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving() as found:
        yield found


@dataclass(frozen=True)
class Case:
    """`turn`: what the API does. `code`: what the step fails with; None: it comes to its answer after all."""

    title: str
    turn: Mapping[str, Any]
    code: str | None
    tries: Callable[[int], bool] = lambda tries: tries >= 1


def comes_at_last(*faults: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"text": "At last.", "before": faults}


ONCE: Callable[[int], bool] = lambda tries: tries == 1  # noqa: E731 # a name in the table below
LATER = {"status": 429, "retry_after": "1"}
CASES = (
    Case("a bad request is not made again", {"status": 400}, "provider_error", ONCE),
    Case("a bad key is not tried again", {"status": 401}, "provider_error", ONCE),
    Case("a rate limit that stays", {"status": 429, "retry_after": "0"}, "provider_error"),
    Case("an overload that stays", {"status": 529}, "provider_error"),
    Case("a rate limit that goes", comes_at_last(LATER, LATER), None),
    Case("an error and an overload that go", comes_at_last({"status": 500}, {"status": 529}), None),
    Case("a stream that is dropped once", comes_at_last({"drop": "stream"}), None),
    Case("a stream that is always dropped", {"drop": "stream", "text": "Half of it."}, "provider_error"),
    Case("a stream with an error in it", {"break": True, "text": "Half of it."}, "provider_error"),
    Case("an API that never answers", {"hang": "headers"}, "timeout"),
    Case("a stream that stops in its midst", {"hang": "stream", "text": "Half of it."}, "timeout"),
)
ON_EACH_WIRE = {"a rate limit that stays", "a stream that is dropped once", "a stream with an error in it"}
QUICK = {"hang"}


def begin(at: Bench, case: Case) -> Going:
    # One that is not to come to anything is tried twice, one that is, as often as it takes.
    again = AGAIN if case.code is None else {**AGAIN, "attempts": 2}
    timeout = "3s" if at.client.free and "hang" in case.turn else "60s"
    return at.start(case.turn, retry=again if "hang" not in case.turn else False, timeout=timeout)


def judge(at: Bench, case: Case, ended: Ended, going: Going) -> None:
    if case.code is None:
        assert (ended.state, ended.text) == ("succeeded", "At last."), ended.why
    else:
        assert ended.state == "failed"
        assert ended.code == _code(at.client, case), ended.why
        assert ended.why
    if at.client.counts:
        assert case.tries(ended.step.attempts), ended.step
        assert ended.whole == (case.code is None)
        # Half a response costs what went in, and what came: it is paid for where the client was told.
        assert ended.whole <= ended.used.turns <= ended.begun, "what was answered is paid for, once"
    at.nothing_left(going)


def _code(client: Client, case: Case) -> str | None:
    """What a program that rota knows nothing of fails with is its exit code."""
    return "exit_nonzero" if client.free and case.code == "provider_error" else case.code


@pytest.mark.parametrize("name", [*WHOLE, *WIRES])
def test_an_api_that_fails(name: str, server: ModelServer, tmp_path: Path, subtests: Any) -> None:
    client = CLIENTS[name]
    if client.missing:
        pytest.skip(client.missing)
    cases = [case for case in CASES if name in WHOLE or case.title in ON_EACH_WIRE]
    with bench(tmp_path / "work", server, client, patience=PATIENCE.get(name, 5.0)) as at:
        for case, going in [(case, begin(at, case)) for case in cases]:
            with subtests.test(case.title):
                judge(at, case, at.ended(going), going)
