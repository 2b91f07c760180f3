"""Anthropic's Messages, as they go over the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.support.model_reply import Event, Reply, text_of
from tests.support.model_script import Entry, Json, pieces

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
# What claude puts where a model's answer would have been, when it goes on after it was killed.
_PUT_IN = "No response requested."


class Messages:
    """POST /v1/messages."""

    def conversation(self, body: Json) -> list[Entry]:
        """Results of tools come in messages of the user."""
        entries = []
        for message in body.get("messages", []):
            content = message["content"]
            parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
            kinds = {part.get("type") for part in parts}
            if message["role"] == "assistant" and text_of(parts) == _PUT_IN:
                continue
            if message["role"] == "assistant":
                calls = tuple(part["id"] for part in parts if part.get("type") == "tool_use")
                entries.append(Entry("model", text_of(parts), calls))
                continue
            if "tool_result" in kinds:
                entries.append(Entry("tool"))
            if kinds - {"tool_result"}:
                entries.append(Entry("user", text_of([p for p in parts if p.get("type") == "text"])))
        return entries

    def whole(self, reply: Reply, body: Json) -> Json:
        """A message."""
        content = [_block(number, reply) for number in range(_blocks(reply))]
        return _message(reply, content) | {
            "stop_reason": _reason(reply),
            "usage": _usage(reply, reply.usage.output),
        }

    def events(self, reply: Reply, body: Json) -> list[Event]:
        """From message_start to message_stop."""
        return [Event(str(data["type"]), data) for data in self._events(reply)]

    def _events(self, reply: Reply) -> Iterator[Json]:
        yield {"type": "message_start", "message": _message(reply, []) | {"usage": _usage(reply, 1)}}
        yield {"type": "ping"}
        for number in range(_blocks(reply)):
            block = _block(number, reply)
            if block["type"] == "text":
                start: Json = {**block, "text": ""}
                kind, field = "text_delta", "text"
                parts = pieces(block["text"])
            else:
                start = {**block, "input": {}}
                kind, field = "input_json_delta", "partial_json"
                parts = ["", *pieces(json.dumps(block["input"]))]
            yield {"type": "content_block_start", "index": number, "content_block": start}
            for part in parts:
                delta = {"type": kind, field: part}
                yield {"type": "content_block_delta", "index": number, "delta": delta}
            yield {"type": "content_block_stop", "index": number}
        ended = {"stop_reason": _reason(reply), "stop_sequence": None}
        yield {"type": "message_delta", "delta": ended, "usage": _usage(reply, reply.usage.output)}
        yield {"type": "message_stop"}

    def broken(self) -> Event:
        """As the API tells of an overload in a stream."""
        return Event("error", self.error(529, "Overloaded"))

    def error(self, status: int, message: str) -> Json:
        """An error with its type."""
        kind = TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_stub"}


def _message(reply: Reply, content: list[Json]) -> Json:
    return {
        "id": f"msg_{reply.id}", "type": "message", "role": "assistant", "model": reply.model, "content": content,
        "stop_reason": None, "stop_sequence": None,
    }  # fmt: skip


def _blocks(reply: Reply) -> int:
    return len(reply.calls) + bool(_text(reply))


def _block(number: int, reply: Reply) -> Json:
    text = _text(reply)
    if text and number == 0:
        return {"type": "text", "text": text}
    key, call = reply.calls[number - bool(text)]
    return {"type": "tool_use", "id": f"toolu_{key}", "name": call.name, "input": call.args}


def _text(reply: Reply) -> str:
    return reply.words if reply.refuse is None else reply.refuse


def _reason(reply: Reply) -> str:
    if reply.refuse is not None or reply.filtered:
        return "refusal"
    return "tool_use" if reply.calls else "end_turn"


def _usage(reply: Reply, output: int) -> Json:
    tokens = reply.usage
    return {
        "input_tokens": tokens.input,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }
