"""The stub of the models' APIs, as the providers' own clients see it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any, cast

import anthropic
import openai
import pytest
from tests.support.model_script import Entry, standing
from tests.support.model_server import BAD_KEY, KEY, ModelServer, script, serving

USAGE = {"input": 5, "output": 7, "cache_read": 11, "cache_write": 13}
WEATHER = {"city": "Łódź"}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving() as found:
        yield found


def claude(server: ModelServer, key: str = KEY) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=key, base_url=server.url, max_retries=0, timeout=2.0)


def gpt(server: ModelServer, key: str = KEY) -> openai.OpenAI:
    return openai.OpenAI(api_key=key, base_url=server.openai_url, max_retries=0, timeout=2.0)


def ask(client: anthropic.Anthropic, *messages: Any, streamed: bool = False) -> Any:
    about: Any = {
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages],
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
    }
    if not streamed:
        return client.messages.create(**about)
    with client.messages.stream(**about) as stream:
        return stream.get_final_message()


def chat(client: openai.OpenAI, *messages: Any, streamed: bool = False) -> Any:
    about: Any = {
        "model": "gpt-5",
        "messages": [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
    }
    if not streamed:
        return client.chat.completions.create(**about)
    with client.chat.completions.stream(**about, stream_options={"include_usage": True}) as stream:
        return stream.get_final_completion()


def respond(client: openai.OpenAI, asked: Any, *, streamed: bool = False, **more: Any) -> Any:
    tools: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]
    if not streamed:
        return client.responses.create(model="gpt-5", input=asked, tools=tools, **more)
    *_, last = client.responses.create(model="gpt-5", input=asked, tools=tools, stream=True, **more)
    return cast(Any, last).response


STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@STREAMED
def test_messages_say_text_then_use_a_tool_then_end(server: ModelServer, streamed: bool) -> None:
    client = claude(server)
    call = {"name": "weather", "args": WEATHER}
    prompt = script({"text": "let me see", "calls": [call], "usage": USAGE}, "it rains")

    first = ask(client, f"How is it?\n{prompt}", streamed=streamed)

    text, use = first.content
    assert (text.text, use.name, use.input) == ("let me see", "weather", WEATHER)
    assert (first.stop_reason, first.model) == ("tool_use", "claude-haiku-4-5")
    assert (first.usage.input_tokens, first.usage.output_tokens) == (5, 7)
    assert (first.usage.cache_read_input_tokens, first.usage.cache_creation_input_tokens) == (11, 13)

    result = {"type": "tool_result", "tool_use_id": use.id, "content": "rain"}
    later = [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = ask(client, prompt, *later, streamed=streamed)
    assert (second.content[0].text, second.stop_reason) == ("it rains", "end_turn")
    assert second.id != first.id


@STREAMED
def test_chat_completions_say_text_then_use_tools_then_end(server: ModelServer, streamed: bool) -> None:
    client = gpt(server)
    calls = [{"name": "weather", "args": WEATHER}, {"name": "weather", "args": {"city": "Rome"}}]
    prompt = script({"text": "let me see", "calls": calls, "usage": USAGE}, "it rains")

    first = chat(client, prompt, streamed=streamed)

    message = first.choices[0].message
    assert (message.content, first.choices[0].finish_reason) == ("let me see", "tool_calls")
    assert [openai_args(call.function.arguments)["city"] for call in message.tool_calls] == ["Łódź", "Rome"]
    assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (29, 7)
    assert first.usage.prompt_tokens_details.cached_tokens == 11

    results = [{"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in message.tool_calls]
    said = message.model_dump(exclude_none=True, exclude={"parsed"})
    second = chat(client, prompt, said, *results, streamed=streamed)
    assert second.choices[0].message.content == "it rains"


@STREAMED
def test_responses_say_text_then_use_a_tool_then_end(server: ModelServer, streamed: bool) -> None:
    client = gpt(server)
    call = {"name": "weather", "args": WEATHER}
    prompt = script({"text": "let me see", "calls": [call], "usage": USAGE}, "it rains")

    first = respond(client, prompt, streamed=streamed)

    assert first.output_text == "let me see"
    assert openai_args(first.output[1].arguments) == WEATHER
    assert (first.usage.input_tokens, first.usage.output_tokens) == (29, 7)
    assert first.usage.input_tokens_details.cached_tokens == 11

    result = {"type": "function_call_output", "call_id": first.output[1].call_id, "output": "rain"}
    items = [{"role": "user", "content": prompt}, *first.output, result]
    assert respond(client, items, streamed=streamed).output_text == "it rains"
    onwards = respond(client, [result], streamed=streamed, previous_response_id=first.id)
    assert onwards.output_text == "it rains"


def openai_args(text: str) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(text))


@STREAMED
@pytest.mark.parametrize("turn", [{"refuse": "I will not."}, {"filter": True}], ids=["refuse", "filter"])
def test_refusals_are_each_format_s_own(server: ModelServer, turn: Any, streamed: bool) -> None:
    assert ask(claude(server), script(turn), streamed=streamed).stop_reason == "refusal"
    said = respond(gpt(server), script(turn), streamed=streamed)
    choice = chat_raw(server, script(turn), streamed)
    if "filter" in turn:
        assert (said.status, said.incomplete_details.reason) == ("incomplete", "content_filter")
        assert choice == ("content_filter", "")
    else:
        assert said.output[0].content[0].refusal == "I will not."
        assert choice == ("stop", "I will not.")


def chat_raw(server: ModelServer, prompt: str, streamed: bool) -> tuple[str, str]:
    """Finish reason and refusal, without the client's raising of what is filtered."""
    client = gpt(server)
    messages: Any = [{"role": "user", "content": prompt}]
    if not streamed:
        choice = client.chat.completions.create(model="gpt-5", messages=messages).choices[0]
        return choice.finish_reason, choice.message.refusal or ""
    reason, words = "", ""
    for chunk in client.chat.completions.create(model="gpt-5", messages=messages, stream=True):
        for one in chunk.choices:
            reason, words = one.finish_reason or reason, words + (one.delta.refusal or "")
    return reason, words


def test_structured_output_goes_to_the_client_s_tool_or_is_text(server: ModelServer) -> None:
    prompt = script({"structured": {"a": 1}})
    tool: Any = {"name": "final_result", "input_schema": SCHEMA}
    messages: Any = [{"role": "user", "content": prompt}]
    with_tool = claude(server).messages.create(
        model="claude-haiku-4-5", max_tokens=9, messages=messages, tools=[tool]
    )
    assert cast(Any, with_tool.content[0]).input == {"a": 1}
    assert respond(gpt(server), prompt).output_text == '{"a": 1}'


@pytest.mark.parametrize(
    ("status", "ours", "theirs"),
    [
        (400, anthropic.BadRequestError, openai.BadRequestError),
        (401, anthropic.AuthenticationError, openai.AuthenticationError),
        (429, anthropic.RateLimitError, openai.RateLimitError),
        (500, anthropic.InternalServerError, openai.InternalServerError),
        (529, anthropic.InternalServerError, openai.InternalServerError),
    ],
)
def test_errors_are_typed_and_say_when_to_come_again(
    server: ModelServer, status: int, ours: type[Exception], theirs: type[Exception]
) -> None:
    turn = {"status": status, "retry_after": "7"}
    with pytest.raises(ours) as error:
        ask(claude(server), script(turn))
    assert cast(Any, error.value).response.headers["retry-after"] == "7"
    for asks in (chat, respond):
        with pytest.raises(theirs):
            asks(gpt(server), script(turn))


def test_faults_before_a_response_come_once_each(server: ModelServer) -> None:
    prompt = script({"text": "at last", "before": [{"status": 529}, {"drop": "headers"}]}, marker="once-each")
    client = claude(server)
    with pytest.raises(anthropic.APIStatusError):
        ask(client, prompt)
    with pytest.raises(anthropic.APIConnectionError):
        ask(client, prompt)
    assert ask(client, prompt).content[0].text == "at last"
    assert [one.status for one in server.requests_of("once-each")] == [529, 0, 200]
    assert len(server.requests_of("once-each", counted=True)) == 1


@pytest.mark.parametrize(
    "fault", [{"drop": "stream"}, {"hang": "stream"}, {"hang": "headers"}, {"break": True}], ids=str
)
def test_streams_end_or_hang_in_their_midst(server: ModelServer, fault: Any) -> None:
    prompt = script(fault)
    client = anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0, timeout=0.3)
    other = openai.OpenAI(api_key=KEY, base_url=server.openai_url, max_retries=0, timeout=0.3)
    with pytest.raises(Exception):  # noqa: B017 - which one is up to the HTTP library below the client
        ask(client, prompt, streamed=True)
    with pytest.raises(Exception):  # noqa: B017 - the same
        chat(other, prompt, streamed=True)


def test_a_client_that_goes_is_seen_to_go(server: ModelServer) -> None:
    prompt = script({"hang": "headers"}, marker="goes")
    client = anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0, timeout=0.3)
    with pytest.raises(anthropic.APITimeoutError):
        ask(client, prompt)
    server.until(lambda: server.requests_of("goes")[0].gone or None, "the client's going")


def test_a_bad_key_is_refused_and_no_key_is_kept(server: ModelServer) -> None:
    with pytest.raises(anthropic.AuthenticationError):
        ask(claude(server, BAD_KEY), script("never", marker="bad-key"))
    with pytest.raises(openai.AuthenticationError):
        chat(gpt(server, BAD_KEY), script("never", marker="bad-key"))
    kept = server.requests_of("bad-key")
    assert [one.status for one in kept] == [401, 401]
    assert BAD_KEY not in str(kept)


def test_other_doors(server: ModelServer) -> None:
    assert "gpt-5" in [model.id for model in gpt(server).models.list()]
    assert "claude-haiku-4-5" in [model.id for model in claude(server).models.list()]
    messages: Any = [{"role": "user", "content": "one two three"}]
    counted = claude(server).messages.count_tokens(model="claude-haiku-4-5", messages=messages)
    assert counted.input_tokens > 0
    assert ask(claude(server), "no script in here").content[0].text == "ok"


def test_conversations_side_by_side_do_not_meet(server: ModelServer) -> None:
    said: dict[int, str] = {}

    def work(number: int) -> None:
        prompt = script({"text": f"{number}", "pace": 0.01}, marker=f"side-{number}")
        said[number] = ask(claude(server), prompt, streamed=True).content[0].text

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {number: str(number) for number in range(8)}


def test_where_a_conversation_stands() -> None:
    first, second = Entry("user", script("a", "b", marker="1")), Entry("user", script("c", marker="2"))
    model, tool, more = Entry("model", "x"), Entry("tool"), Entry("user", "go on")
    split = [Entry("model", calls=("call_t0_0_x",)), tool, Entry("model", calls=("call_t0_1_x",)), tool]

    def at(*entries: Entry) -> tuple[str, int]:
        found, number = standing(entries)
        return (found.marker if found else "", number)

    assert at(first) == ("1", 0)
    assert at(first, model, more) == ("1", 1)
    assert at(first, *split) == ("1", 1)
    assert at(first, model, Entry("model", calls=("call_t0_0_x",)), tool) == ("1", 1)
    assert at(first, model, second) == ("2", 0)
    assert at(first, model, first) == ("1", 1)
    assert at(Entry("user", "hello")) == ("", 0)
