"""OpenAI's Chat Completions, as they go over the wire; and the errors of all of its API."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.support.model_reply import Event, Reply, text_of
from tests.support.model_script import Entry, Json, pieces

TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CODES = {
    401: "invalid_api_key",
    404: "model_not_found",
    429: "rate_limit_exceeded",
    529: "server_is_overloaded",
}


def error(status: int, message: str) -> Json:
    """An error, as all of the API has it."""
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": CODES.get(status)}}


class ChatCompletions:
    """POST /v1/chat/completions."""

    def conversation(self, body: Json) -> list[Entry]:
        """System and developer messages are no part of it."""
        entries = []
        for message in body.get("messages", []):
            text = text_of(message.get("content"))
            match message["role"]:
                case "assistant":
                    calls = tuple(call["id"] for call in message.get("tool_calls") or ())
                    entries.append(Entry("model", text, calls))
                case "tool":
                    entries.append(Entry("tool"))
                case "user":
                    entries.append(Entry("user", text))
        return entries

    def whole(self, reply: Reply, body: Json) -> Json:
        """A completion."""
        message: Json = {"role": "assistant", "content": reply.words or None, "refusal": reply.refuse}
        if reply.calls:
            message["tool_calls"] = [_call(number, reply) for number in range(len(reply.calls))]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(reply)}
        return _head(reply, "chat.completion") | {"choices": [choice], "usage": _usage(reply)}

    def events(self, reply: Reply, body: Json) -> list[Event]:
        """Chunks, and the end mark; usage where it is asked for."""
        return [*(Event(None, data) for data in self._chunks(reply, body)), Event(None, "[DONE]")]

    def _chunks(self, reply: Reply, body: Json) -> Iterator[Json]:
        head = _head(reply, "chat.completion.chunk")
        deltas: list[Json] = [{"role": "assistant", "content": "", "refusal": None}]
        deltas += [{"content": part} for part in pieces(reply.words)]
        deltas += [{"refusal": part} for part in pieces(reply.refuse or "")]
        for number in range(len(reply.calls)):
            whole = {"index": number, **_call(number, reply)}
            text = whole["function"]["arguments"]
            whole["function"] = {**whole["function"], "arguments": ""}
            deltas.append({"tool_calls": [whole]})
            deltas += [
                {"tool_calls": [{"index": number, "function": {"arguments": part}}]} for part in pieces(text)
            ]
        for delta in deltas:
            yield head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}
        yield head | {
            "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": _reason(reply)}]
        }
        if (body.get("stream_options") or {}).get("include_usage"):
            yield head | {"choices": [], "usage": _usage(reply)}

    def broken(self) -> Event:
        """An error in place of a chunk."""
        return Event(None, error(500, "The server had an error while processing your request"))

    def error(self, status: int, message: str) -> Json:
        """As all of the API has it."""
        return error(status, message)


def _head(reply: Reply, kind: str) -> Json:
    return {"id": f"chatcmpl-{reply.id}", "object": kind, "created": 1_790_000_000, "model": reply.model}


def _call(number: int, reply: Reply) -> Json:
    key, call = reply.calls[number]
    function = {"name": call.name, "arguments": json.dumps(call.args)}
    return {"id": f"call_{key}", "type": "function", "function": function}


def _reason(reply: Reply) -> str:
    if reply.filtered:
        return "content_filter"
    return "tool_calls" if reply.calls else "stop"


def _usage(reply: Reply) -> Json:
    tokens = reply.usage
    prompt = tokens.input + tokens.cache_read + tokens.cache_write
    details = {"cached_tokens": tokens.cache_read, "audio_tokens": 0}
    if tokens.cache_write:
        details["cache_write_tokens"] = tokens.cache_write
    return {
        "prompt_tokens": prompt,
        "completion_tokens": tokens.output,
        "total_tokens": prompt + tokens.output,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
