"""One response of the stub on its way out, before it takes a wire format."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.support.model_script import Call, Entry, Json, Tokens, Turn

OUTPUT_TOOLS = ("final_result", "StructuredOutput")  # by which clients have a model give structured output


@dataclass(frozen=True)
class Reply:
    """`calls`: with their ids. `words`: the text, or the structured answer where it goes out as text."""

    id: str
    model: str
    words: str
    calls: tuple[tuple[str, Call], ...]
    refuse: str | None
    filtered: bool
    usage: Tokens


@dataclass(frozen=True)
class Event:
    """A piece of a stream. `name`: of its `event:` line; None where the format has no such line."""

    name: str | None
    data: Json | str

    @property
    def line(self) -> bytes:
        """As server-sent events have it."""
        head = f"event: {self.name}\n" if self.name else ""
        data = self.data if isinstance(self.data, str) else json.dumps(self.data)
        return f"{head}data: {data}\n\n".encode()


class Wire(Protocol):
    """A format: what a request says, and how a response is spelled."""

    def conversation(self, body: Json) -> list[Entry]:
        """The messages of a request."""
        ...

    def whole(self, reply: Reply, body: Json) -> Json:
        """A response in one piece."""
        ...

    def events(self, reply: Reply, body: Json) -> Sequence[Event]:
        """A response as a stream."""
        ...

    def broken(self) -> Event:
        """What a stream says when the provider fails in its midst."""
        ...

    def error(self, status: int, message: str) -> Json:
        """The body of an answer that is an error."""
        ...


def reply(turn: Turn, number: int, body: Json, tools: Sequence[str]) -> Reply:
    """A turn of a script as the answer to a request. `tools`: the names of those that it offers."""
    calls, words = list(turn.calls), turn.text
    if turn.structured is not None:
        taker = next((tool for tool in tools if tool.startswith(OUTPUT_TOOLS)), None)
        if taker is None:
            words = json.dumps(turn.structured)
        else:
            calls.append(Call(taker, turn.structured))
    unique = uuid.uuid4().hex[:16]
    named = tuple((f"t{number}_{at}_{unique}", call) for at, call in enumerate(calls))
    model = turn.model or body.get("model") or "stub"
    return Reply(unique, model, words, named, turn.refuse, turn.filter, turn.usage)


def text_of(content: object) -> str:
    """The text of a message's content: a text, or parts of which some have one."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(
        part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)
    )
