"""What the real clients printed once, against a stub of the models' APIs, read again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rota.model.agent import Denial, Outcome, Response, Usage
from rota.runners._talk import Happening, Opened, Over, Paid, Reader
from rota.runners.claude_stream import ClaudeStream
from rota.runners.codex_stream import CodexStream
from rota.runners.pi_stream import PiStream

STREAMS = Path(__file__).parent / "streams"
SMALL, CACHED = Usage(100, 10), Usage(50, 7, 20)


def events(name: str) -> Iterator[dict[str, Any]]:
    for line in (STREAMS / f"{name}.jsonl").read_text().splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def heard(reader: Reader, name: str) -> list[Happening]:
    """All that a stream means, with what is known at its end."""
    found = [happening for event in events(name) for happening in reader.read(event)]
    return [*found, *reader.poll(), *reader.rest()]


def lines(found: list[Happening]) -> list[str]:
    return [happening for happening in found if isinstance(happening, str)]


def responses(found: list[Happening]) -> list[Response]:
    return [happening.response for happening in found if isinstance(happening, Paid)]


@pytest.fixture
def pi(tmp_path: Path) -> Callable[..., PiStream]:
    """Makes a reader of pi's, whose gate is there."""
    (tmp_path / "ready").touch()
    return lambda **more: PiStream(tmp_path / "ready", "/work", **more)


@pytest.fixture
def codex(tmp_path: Path) -> Callable[..., CodexStream]:
    """Makes a reader of Codex's, beside which nothing is recorded."""
    return lambda **more: CodexStream(tmp_path, "gpt-5", **more)


def record(home: Path, session: str, text: str) -> None:
    """Codex's own record of a conversation."""
    file = home / "sessions/2026/11/28" / f"rollout-2026-11-28T12-00-00-{session}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_claude_tells_each_response_once_with_the_tokens_of_its_end() -> None:
    stream = ClaudeStream(root="/work")
    found = heard(stream, "claude_tools")
    told = responses(found)
    assert [response.usage for response in told] == [SMALL, CACHED, SMALL, Usage()]
    assert [response.turns for response in told] == [1, 1, 1, 0], "the last is the client's own figure"
    assert len({response.key for response in told}) == 4
    assert told[-1].client_usd == pytest.approx(0.000387)
    assert [happening.final for happening in found if isinstance(happening, Paid)][:3] == [False, False, True]
    assert stream.result is not None
    assert (stream.result.outcome, stream.result.text) == (Outcome.DONE, "All done.")


def test_claude_says_what_it_does_and_what_it_may_not() -> None:
    stream = ClaudeStream(root="/work")
    found = lines(heard(stream, "claude_tools"))
    assert found[1:4] == ["Let me see.", "> run touch x", "denied: run touch x"]
    assert "> read /work/.rota/jobs/a.yaml" in found
    assert list(stream.denied.values()) == [Denial("run", "touch x")]


@pytest.mark.parametrize("cumulative", [True, False])
def test_claude_s_figures_of_a_resumed_session_are_what_came_on_top(*, cumulative: bool) -> None:
    before = ClaudeStream()
    heard(before, "claude_tools")
    stream = ClaudeStream(before=before.totals)
    told: list[Happening] = []
    for event in events("claude_resumed"):
        if event["type"] == "result" and cumulative:  # as some versions count
            (model,) = event["modelUsage"].values()
            earlier = before.totals["models"]["claude-haiku-4-5"]
            for name, short in (
                ("inputTokens", "in"),
                ("outputTokens", "out"),
                ("cacheReadInputTokens", "read"),
            ):
                model[name] += earlier[short]
            event["total_cost_usd"] += before.totals["usd"]
        told += stream.read(event)
    told += stream.rest()
    assert sum((response.usage for response in responses(told)), Usage()) == SMALL
    assert responses(told)[-1].client_usd == pytest.approx(0.00015)
    assert stream.totals["usd"] == pytest.approx(before.totals["usd"] + 0.00015)


def test_claude_s_failure_is_told_by_is_error_though_its_subtype_is_success() -> None:
    stream = ClaudeStream()
    heard(stream, "claude_overload")
    assert [event["subtype"] for event in events("claude_overload") if event["type"] == "result"] == [
        "success"
    ]
    assert stream.result is not None
    assert (stream.result.outcome, stream.result.retry) == (Outcome.PROVIDER, True)
    assert "529" in stream.result.detail


def test_claude_s_refusal_is_paid_for_and_not_tried_again() -> None:
    stream = ClaudeStream()
    assert [response.usage for response in responses(heard(stream, "claude_refusal"))][:1] == [SMALL]
    assert stream.result is not None
    assert (stream.result.outcome, stream.result.retry) == (Outcome.REFUSED, False)


def test_claude_is_ended_rather_than_waited_for_when_its_api_asks_for_a_long_pause() -> None:
    retry = {"type": "system", "subtype": "api_retry", "retry_delay_ms": 700_000, "error_status": 429}
    over = next(found for found in ClaudeStream().read(retry) if isinstance(found, Over))
    assert (over.result.outcome, over.result.retry_after) == (Outcome.PROVIDER, 700.0)


def test_a_dead_mcp_server_of_claude_s_is_a_failure() -> None:
    init = next(event for event in events("claude_tools") if event.get("subtype") == "init")
    init["mcp_servers"] = [{"name": "board", "status": "connected"}, {"name": "wiki", "status": "failed"}]
    found = [over for over in ClaudeStream(servers=("board", "wiki")).read(init) if isinstance(over, Over)]
    assert [(over.result.outcome, over.result.code) for over in found] == [(Outcome.FAILED, "mcp_server")]
    assert "`wiki` (failed)" in found[0].result.detail


def test_a_response_of_claude_s_that_is_cut_off_is_paid_for_as_far_as_it_came() -> None:
    stream = ClaudeStream()
    for event in events("claude_tools"):
        list(stream.read(event))
        if event.get("event", {}).get("type") == "content_block_delta":
            break
    assert [response.usage for response in responses(list(stream.rest()))] == [Usage(100, 1)]
    assert stream.result is None


def test_codex_s_responses_are_told_one_by_one_out_of_its_record(tmp_path: Path) -> None:
    stream = CodexStream(tmp_path, "gpt-5")
    opened = next(iter(stream.read(next(events("codex_tools")))))
    assert isinstance(opened, Opened)
    record(tmp_path, opened.session, (STREAMS / "codex_record.jsonl").read_text())
    told = list(stream.poll())
    assert [response.usage for response in responses(told)] == [SMALL, CACHED, SMALL]
    assert [paid.final for paid in told if isinstance(paid, Paid)] == [False, False, True]
    assert "> run touch x" in lines(told)
    rest = heard(stream, "codex_tools")
    assert responses(rest) == [], "the sum at the end is known by then"
    assert stream.result is not None
    assert stream.result.text == "All done."
    assert stream.totals == {"in": 250, "out": 27, "read": 20, "written": 0}


def test_codex_without_a_record_is_counted_at_the_end_of_its_turn(codex: Callable[..., CodexStream]) -> None:
    assert [response.usage for response in responses(heard(codex(), "codex_tools"))] == [Usage(250, 27, 20)]


def test_codex_s_cumulative_figures_of_a_resumed_session_are_what_came_on_top(
    codex: Callable[..., CodexStream],
) -> None:
    stream = codex(before={"in": 250, "out": 27, "read": 20, "written": 0})
    assert [response.usage for response in responses(heard(stream, "codex_resumed"))] == [SMALL]


def test_codex_s_failed_turn_and_its_silence_of_a_refusal(tmp_path: Path) -> None:
    failed = CodexStream(tmp_path, "gpt-5")
    heard(failed, "codex_overload")
    assert failed.result is not None
    assert (failed.result.outcome, failed.result.retry) == (Outcome.PROVIDER, True)
    silent = CodexStream(tmp_path, "gpt-5")
    opened = next(iter(silent.read(next(events("codex_refusal")))))
    assert isinstance(opened, Opened)
    usage = {"input_tokens": 100, "output_tokens": 10}
    payload = {"response_id": "resp_1", "thread_token_usage": usage}
    record(tmp_path, opened.session, json.dumps({"type": "token_usage_record", "payload": payload}) + "\n")
    heard(silent, "codex_refusal")
    assert silent.result is not None
    assert (silent.result.outcome, silent.result.retry) == (Outcome.REFUSED, False)


@pytest.mark.parametrize(
    ("words", "outcome", "retry", "after"),
    [
        ("unexpected status 401 Unauthorized: no", Outcome.PROVIDER, False, None),
        ('{"error": {"message": "bad", "type": "invalid_request_error"}}', Outcome.PROVIDER, False, None),
        ("stream disconnected before completion: idle timeout waiting for SSE", Outcome.TIMEOUT, True, None),
        ("Rate limit reached. Please try again in 20s.", Outcome.PROVIDER, True, 20.0),
        ("stream disconnected before completion: Transport error", Outcome.PROVIDER, True, None),
    ],
)
def test_codex_s_words_are_told_apart(
    codex: Callable[..., CodexStream], words: str, outcome: Outcome, *, retry: bool, after: float | None
) -> None:
    stream = codex()
    list(stream.read({"type": "turn.failed", "error": {"message": words}}))
    assert stream.result is not None
    assert (stream.result.outcome, stream.result.retry) == (outcome, retry)
    assert stream.result.retry_after == after


def test_codex_is_ended_where_it_would_wait_without_a_word(codex: Callable[..., CodexStream]) -> None:
    message = "Reconnecting... 1/1 (exceeded retry limit, last status: 429 Too Many Requests)"
    found = [over for over in codex().read({"type": "error", "message": message}) if isinstance(over, Over)]
    assert [over.result.outcome for over in found] == [Outcome.PROVIDER]
    assert found[0].result.detail == "exceeded retry limit, last status: 429 Too Many Requests"


def test_pi_s_messages_are_told_with_their_tokens_and_dollars(pi: Callable[..., PiStream]) -> None:
    stream = pi(before={"usd": 1.0})
    found = heard(stream, "pi_tools")
    told = responses(found)
    assert [response.usage for response in told] == [SMALL, CACHED, SMALL]
    assert all(response.client_usd for response in told)
    assert stream.totals["usd"] == pytest.approx(1.0 + sum(response.client_usd or 0 for response in told))
    assert "denied: run touch x" in lines(found)
    assert list(stream.denied.values()) == [Denial("run", "touch x")]
    assert stream.result is not None
    assert (stream.result.outcome, stream.result.text) == (Outcome.DONE, "All done.")


def test_pi_s_stop_reason_tells_of_a_failure_that_its_exit_code_hides(pi: Callable[..., PiStream]) -> None:
    stream = pi()
    assert responses(heard(stream, "pi_overload")) == []
    assert stream.result is not None
    assert (stream.result.outcome, stream.result.retry) == (Outcome.PROVIDER, True)
    assert stream.result.detail == "529 stub: answered 529"


def test_pi_without_rota_s_gate_is_ended_before_it_asks_a_model(tmp_path: Path) -> None:
    found = heard(PiStream(tmp_path / "ready"), "pi_tools")
    over = next(found for found in found if isinstance(found, Over))
    assert over.result.outcome is Outcome.FAILED
    assert "gate" in over.result.detail


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ({"stopReason": "length"}, Outcome.FAILED),
        ({"stopReason": "aborted"}, Outcome.INTERRUPTED),
        ({"stopReason": "error", "errorMessage": "Request timed out."}, Outcome.TIMEOUT),
        ({"stopReason": "error", "errorMessage": "An unknown error occurred"}, Outcome.REFUSED),
        ({"stopReason": "error", "errorMessage": "terminated"}, Outcome.PROVIDER),
        ({"stopReason": "stop", "api": "openai-responses"}, Outcome.REFUSED),
    ],
)
def test_pi_s_reasons_are_told_apart(
    pi: Callable[..., PiStream], message: dict[str, Any], outcome: Outcome
) -> None:
    stream = pi()
    list(stream.read({"type": "message_end", "message": {"role": "assistant", "content": [], **message}}))
    list(stream.read({"type": "agent_end", "messages": []}))
    assert stream.result is not None
    assert stream.result.outcome is outcome
