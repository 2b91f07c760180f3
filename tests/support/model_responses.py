"""OpenAI's Responses, as they go over the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.support.model_openai import error
from tests.support.model_reply import Event, Reply, text_of
from tests.support.model_script import Entry, Json, pieces


class Responses:
    """POST /v1/responses. What a response was made from is kept, for those that go on from it."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Json]] = {}

    def conversation(self, body: Json) -> list[Entry]:
        """Items, after those of the response that the request goes on from."""
        entries = []
        for item in self._items(body):
            kind = item.get("type", "message")
            if kind == "message" and item["role"] == "user":
                entries.append(Entry("user", text_of(item["content"])))
            elif kind == "message" and item["role"] == "assistant":
                entries.append(Entry("model", text_of(item["content"])))
            elif kind.endswith("_call"):
                entries.append(Entry("model", calls=(item.get("call_id") or item.get("id") or "",)))
            elif kind.endswith("_call_output"):
                entries.append(Entry("tool"))
        return entries

    def _items(self, body: Json) -> list[Json]:
        asked = body.get("input", [])
        items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        return [*self._kept.get(body.get("previous_response_id") or "", []), *items]

    def whole(self, reply: Reply, body: Json) -> Json:
        """A response."""
        items = _output(reply)
        self._kept[f"resp_{reply.id}"] = [*self._items(body), *items]
        return _response(reply, body, "incomplete" if reply.filtered else "completed", items)

    def events(self, reply: Reply, body: Json) -> list[Event]:
        """From response.created to response.completed."""
        return [
            Event(str(data["type"]), data | {"sequence_number": number})
            for number, data in enumerate(self._events(reply, body))
        ]

    def _events(self, reply: Reply, body: Json) -> Iterator[Json]:
        begun = _response(reply, body, "in_progress", [])
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
        for number, item in enumerate(_output(reply)):
            yield from _item_events(number, item)
        whole = self.whole(reply, body)
        yield {"type": f"response.{whole['status']}", "response": whole}

    def broken(self) -> Event:
        """The response has failed."""
        about = {"code": "server_error", "message": "The server had an error while processing your request"}
        failed = {"id": "resp_failed", "object": "response", "status": "failed", "error": about, "output": []}
        return Event(
            "response.failed", {"type": "response.failed", "sequence_number": 99, "response": failed}
        )

    def error(self, status: int, message: str) -> Json:
        """As all of the API has it."""
        return error(status, message)


def _output(reply: Reply) -> list[Json]:
    items: list[Json] = []
    if reply.words or reply.refuse is not None:
        part: Json = {"type": "output_text", "text": reply.words, "annotations": [], "logprobs": []}
        if reply.refuse is not None:
            part = {"type": "refusal", "refusal": reply.refuse}
        items.append(
            {
                "type": "message",
                "id": f"msg_{reply.id}",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            }
        )
    for key, call in reply.calls:
        # `group/tool`: clients group the tools of an MCP server under its name.
        group, _, tool = call.name.rpartition("/")
        named = {"call_id": f"call_{key}", "name": tool, "status": "completed"}
        named |= {"namespace": group} if group else {}
        if call.input is None:
            items.append(
                {"type": "function_call", "id": f"fc_{key}", "arguments": json.dumps(call.args), **named}
            )
        else:
            items.append({"type": "custom_tool_call", "id": f"ctc_{key}", "input": call.input, **named})
    return items


def _item_events(number: int, item: Json) -> Iterator[Json]:
    at: Json = {"output_index": number, "item_id": item["id"]}
    begun = {**item, "status": "in_progress"}
    if item["type"] == "message":
        yield {"type": "response.output_item.added", "output_index": number, "item": {**begun, "content": []}}
        yield from _part_events(at | {"content_index": 0}, item["content"][0])
    else:
        field, name = (
            ("arguments", "function_call_arguments")
            if item["type"] == "function_call"
            else ("input", "custom_tool_call_input")
        )
        yield {"type": "response.output_item.added", "output_index": number, "item": {**begun, field: ""}}
        for piece in pieces(item[field]):
            yield {"type": f"response.{name}.delta", **at, "delta": piece}
        yield {"type": f"response.{name}.done", **at, field: item[field], "name": item["name"]}
    yield {"type": "response.output_item.done", "output_index": number, "item": item}


def _part_events(at: Json, part: Json) -> Iterator[Json]:
    field, name = ("text", "output_text") if part["type"] == "output_text" else ("refusal", "refusal")
    more: dict[str, Any] = {"logprobs": []} if name == "output_text" else {}
    yield {"type": "response.content_part.added", **at, "part": {**part, field: ""}}
    for piece in pieces(part[field]):
        yield {"type": f"response.{name}.delta", **at, "delta": piece, **more}
    yield {"type": f"response.{name}.done", **at, field: part[field], **more}
    yield {"type": "response.content_part.done", **at, "part": part}


def _response(reply: Reply, body: Json, status: str, output: list[Json]) -> Json:
    ended = status != "in_progress"
    return {
        "id": f"resp_{reply.id}", "object": "response", "created_at": 1_790_000_000, "status": status,
        "error": None, "incomplete_details": {"reason": "content_filter"} if status == "incomplete" else None,
        "instructions": body.get("instructions"), "model": reply.model, "output": output, "metadata": {},
        "parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto", "tools": [],
        "previous_response_id": body.get("previous_response_id"), "usage": _usage(reply) if ended else None,
    }  # fmt: skip


def _usage(reply: Reply) -> Json:
    tokens = reply.usage
    asked = tokens.input + tokens.cache_read + tokens.cache_write
    return {
        "input_tokens": asked,
        "input_tokens_details": {
            "cached_tokens": tokens.cache_read,
            "cache_write_tokens": tokens.cache_write,
        },
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked + tokens.output,
    }
