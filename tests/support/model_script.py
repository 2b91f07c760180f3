"""What a stub of a model's API answers: a script that rides in the prompt, one turn for each response."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Where = Literal["headers", "stream"]
MARK = "STUB:"
OVER = "(the script is over)"
FAULTS = frozenset({"status", "retry_after", "hang", "drop", "break"})
KEYS = FAULTS | {
    "text", "calls", "structured", "refuse", "filter", "usage", "model", "delay", "pace", "before"
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A tool that the model wants used. `input`: of a tool that takes free text in place of `args`."""

    name: str
    args: Json = field(default_factory=dict)
    input: str | None = None


@dataclass(frozen=True)
class Tokens:
    """What a response took, by kind; `input` without what came from a cache or went to one."""

    input: int = 100
    output: int = 10
    cache_read: int = 0
    cache_write: int = 0


@dataclass(frozen=True)
class Fault:
    """What goes wrong. `hang`, `drop`, `break_`: before the headers, or in the midst of the stream."""

    status: int = 0
    retry_after: str | None = None
    hang: Where | None = None
    drop: Where | None = None
    break_: bool = False  # the stream carries an error of the provider


@dataclass(frozen=True)
class Turn:
    """One response. `before`: what goes wrong first, once each; `fault`: what goes wrong every time."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    structured: Any = None
    refuse: str | None = None
    filter: bool = False
    usage: Tokens = Tokens()
    model: str | None = None
    delay: float = 0.0  # seconds before the headers
    pace: float = 0.0  # seconds between the pieces of a stream
    before: tuple[Fault, ...] = ()
    fault: Fault | None = None


@dataclass(frozen=True)
class Script:
    """`marker` tells its requests from those of other tests."""

    marker: str
    turns: tuple[Turn, ...]

    def turn(self, number: int) -> Turn:
        """The one of that number, from 0; words that say so when there is none."""
        return self.turns[number] if number < len(self.turns) else Turn(OVER)


@dataclass(frozen=True)
class Entry:
    """A message of a conversation, whichever format it came in. `calls`: ids of the calls that it makes."""

    who: Literal["user", "model", "tool"]
    text: str = ""
    calls: tuple[str, ...] = ()


def script(*turns: Json | str, marker: str = "") -> str:
    """A prompt's line that has the stub answer these turns: texts, or objects with the keys of `Turn`.

    `{"text": ..., "calls": [{"name", "args"}], "structured": ..., "usage": {...}}` is a response. `{"status": 429,
    "retry_after": "2"}`, `{"hang": "headers"}`, `{"drop": "stream"}`, `{"break": true}` fail every time;
    in `"before": [...]` of a response they fail once each, and then it comes.
    """
    whole = {"marker": marker or uuid.uuid4().hex[:12], "turns": list(turns)}
    read(f"{MARK} {json.dumps(whole)}")
    return f"{MARK} {json.dumps(whole)}"


def read(text: str) -> Script | None:
    """The last script in a text; None when there is none."""
    found = None
    for place in re.finditer(rf"{MARK}\s*(?=[\[{{])", text):
        value, _end = json.JSONDecoder().raw_decode(text, place.end())
        whole = value if isinstance(value, dict) else {"marker": json.dumps(value), "turns": value}
        found = Script(whole["marker"], tuple(_turn(turn) for turn in whole["turns"]))
    return found


def standing(conversation: Sequence[Entry]) -> tuple[Script | None, int]:
    """The script that a conversation follows, and how many responses it has had since."""
    found, seen, in_response = None, 0, False
    for entry in conversation:
        if entry.who == "model":
            told = [int(m[1]) for call in entry.calls if (m := re.search(r"_t(\d+)_", call))]
            # A response with several calls may come back in pieces: its number is in their ids.
            seen = max(seen + (not in_response and not told), *(number + 1 for number in told), 0)
            in_response = True
            continue
        in_response = False
        if entry.who == "user" and (new := read(entry.text)) is not None:
            # Told once more, as to an agent that was cut off, it goes on where it stood.
            seen = seen if found is not None and found.marker == new.marker else 0
            found = new
    return found, seen


def pieces(text: str, count: int = 4) -> list[str]:
    """A text in that many pieces, as a stream brings it."""
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _turn(told: Json | str) -> Turn:
    if isinstance(told, str):
        return Turn(told)
    assert told.keys() <= KEYS, f"a turn has the keys {sorted(KEYS)}, not {sorted(told.keys() - KEYS)}"
    calls = tuple(
        Call(call["name"], call.get("args", {}), call.get("input")) for call in told.get("calls", ())
    )
    before = tuple(_fault(fault) for fault in told.get("before", ()))
    rest = {
        name: told[name]
        for name in ("text", "structured", "refuse", "filter", "model", "delay", "pace")
        if name in told
    }
    fault = _fault(told) if told.keys() & FAULTS else None
    return Turn(calls=calls, usage=Tokens(**told.get("usage", {})), before=before, fault=fault, **rest)


def _fault(told: Json) -> Fault:
    return Fault(
        status=told.get("status", 0),
        retry_after=told.get("retry_after"),
        hang=told.get("hang"),
        drop=told.get("drop"),
        break_=told.get("break", False),
    )
