"""What `pi --mode json` says, event by event. It exits with 0 whatever its API does: each message's `stopReason` tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rota.model.agent import Denial, Outcome, Response, Usage
from rota.ports.agents import AgentResult
from rota.runners._client import shown
from rota.runners._gate import REFUSED_WORDS, denial_of
from rota.runners._talk import Happening, Opened, Over, Paid

_STATUS = re.compile(r"^(\d{3})\b")
_NO_RETRY = frozenset(range(400, 500)) - {408, 409, 425, 429}
# What pi says of the two ends of a message that it has no words for: a refusal, and a filter.
_NO_WORDS = "An unknown error occurred"
_REFUSED = re.compile(r"refus|content.?filter|safety|sensitive", re.IGNORECASE)


@dataclass
class PiStream:
    """A Reader. `ready`: the file that rota's gate makes once it is there. `root`: the workspace. `usd`: of earlier talks."""

    ready: Path
    root: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    session: str | None = None
    asking: bool = False  # until its first turn begins: the start of the program is no silence of the API
    tools: int = 0
    denied: dict[str, Denial] = field(default_factory=dict)
    _usd: float = 0.0
    _count: int = 0
    _uses: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    _last: Mapping[str, Any] | None = None
    _partial: Mapping[str, Any] | None = None
    _ended: bool = False

    @property
    def totals(self) -> dict[str, Any]:
        """Dollars by pi's own count, and how many answers there were; its tokens are of single messages."""
        answers = int(self.before.get("answers", 0)) + self._count
        return {"usd": float(self.before.get("usd", 0.0)) + self._usd, "answers": answers}

    @property
    def result(self) -> AgentResult | None:
        """What the last message came to, once pi has nothing more to do."""
        return None if self._last is None or not self._ended else self._judged(self._last)

    def read(self, event: Mapping[str, Any]) -> Iterator[Happening]:
        """What one event means."""
        match event.get("type"):
            case "session":
                self.session = event["id"]
                yield Opened(event["id"])
            case "agent_start":
                self._ended = False
                if not self.ready.exists():
                    detail = "pi did not load rota's gate, without which it may do nothing"
                    yield Over(AgentResult(Outcome.FAILED, detail=detail, retry=False))
            case "turn_start":
                self.asking = True
            case "message_start" | "message_update" if event["message"].get("role") == "assistant":
                self._partial = event["message"]
            case "message_end" if event["message"].get("role") == "assistant":
                yield from self._message(event["message"])
            case "tool_execution_start":
                self._uses[event["toolCallId"]] = event["toolName"], event.get("args") or {}
                self.tools += 1
                yield self._use_line(event["toolName"], event.get("args") or {})
            case "tool_execution_end":
                yield from self._came_back(event)
            case "auto_retry_start":
                self.asking = True
                words = shown(_unwrapped(str(event.get("errorMessage"))), 200)
                yield f"the model's API failed ({words}); it is asked again"
            case "agent_end":
                self.asking, self._ended = False, True

    def poll(self) -> Iterator[Happening]:
        """Nothing: the stream says it all."""
        return iter(())

    def rest(self) -> Iterator[Paid]:
        """A message that was cut off."""
        message, self._partial = self._partial, None
        if message is not None:
            yield from self._pay(message, final=False)

    def _message(self, message: Mapping[str, Any]) -> Iterator[Happening]:
        self._last, self._partial = message, None
        self.asking = False
        for part in message.get("content") or ():
            if part.get("type") == "text" and part["text"].strip():
                yield part["text"].rstrip()
        yield from self._pay(message, final=message.get("stopReason") != "toolUse")

    def _pay(self, message: Mapping[str, Any], *, final: bool) -> Iterator[Paid]:
        """A response; one that failed before it began took nothing."""
        usage = _usage(message)
        if not usage.total:
            return
        self._count += 1
        usd = float(((message.get("usage") or {}).get("cost") or {}).get("total") or 0.0)
        self._usd += usd
        # Two tries of one response may carry the same id where a proxy makes it up.
        key = f"{message.get('responseId') or self.session}:{message.get('timestamp')}:{self._count}"
        yield Paid(Response(key, str(message.get("model")), usage, usd), final)

    def _came_back(self, event: Mapping[str, Any]) -> Iterator[Happening]:
        content = (event.get("result") or {}).get("content") or ()
        text = "\n".join(str(part.get("text") or "") for part in content)
        use = self._uses.get(event["toolCallId"])
        if event.get("isError") and use is not None and text.startswith(REFUSED_WORDS):
            denial = self.denied[event["toolCallId"]] = _denial(*use, self.root)
            yield f"denied: {denial.tool} {shown(denial.what)}"
            return
        lines = text.strip().splitlines()
        failed = "failed: " if event.get("isError") else ""
        yield f"  {failed}{shown(lines[0], 120) if lines else 'done'}" + (
            f" ({len(lines)} lines)" if len(lines) > 1 else ""
        )

    def _use_line(self, tool: str, given: Mapping[str, Any]) -> str:
        denial = _denial(tool, given, self.root)
        return f"> {'run' if denial.tool == 'run' else tool} {shown(denial.what)}"

    def _judged(self, message: Mapping[str, Any]) -> AgentResult:
        texts = [part["text"] for part in message.get("content") or () if part.get("type") == "text"]
        text, words = "\n".join(texts).strip(), str(message.get("errorMessage") or "")
        match message.get("stopReason"):
            case "stop" if message.get("api") == "openai-responses" and not _usage(message).total:
                # One that did not come to its end is taken for a whole one by pi, but it has no figures.
                detail = "the response was cut off, by a filter or a limit of tokens: pi does not say which"
                return AgentResult(Outcome.REFUSED, text, detail=detail, retry=False)
            case "stop":
                return AgentResult(Outcome.DONE, text)
            case "length":
                detail = "the answer was cut off at the model's limit of tokens"
                return AgentResult(Outcome.FAILED, text, detail=detail, code="cut_off")
            case "aborted":
                return AgentResult(Outcome.INTERRUPTED, text, detail=words or "pi was stopped")
            case _:
                return _failed(text, words)


def _usage(message: Mapping[str, Any]) -> Usage:
    given = message.get("usage") or {}
    return Usage(*(int(given.get(name) or 0) for name in ("input", "output", "cacheRead", "cacheWrite")))


def _denial(tool: str, given: Mapping[str, Any], root: str) -> Denial:
    """In the words of permissions; pi's tools are called as claude's, in small letters."""
    named = {"file_path": given.get("path"), **given}
    names = {
        "bash": "Bash",
        "write": "Write",
        "edit": "Edit",
        "read": "Read",
        "grep": "Grep",
        "find": "Glob",
        "ls": "Glob",
    }
    return denial_of(names.get(tool, tool), named, root)


def _unwrapped(words: str) -> str:
    """An error's message, out of the API's JSON that pi gives as it came."""
    before, brace, rest = words.partition("{")
    try:
        return f"{before}{json.loads(brace + rest)['error']['message']}"
    except (ValueError, KeyError, TypeError):
        return words


def _failed(text: str, words: str) -> AgentResult:
    found = _STATUS.match(words)
    status = int(found[1]) if found else None
    detail = shown(_unwrapped(words), 400) or "the model's API failed, and pi does not say how"
    if words.startswith("Request timed out"):
        return AgentResult(Outcome.TIMEOUT, detail="the model's API did not answer in time")
    if words == _NO_WORDS or (status is None and _REFUSED.search(words)):
        return AgentResult(Outcome.REFUSED, text, detail="the model declined, or a filter did", retry=False)
    return AgentResult(Outcome.PROVIDER, detail=detail, retry=status not in _NO_RETRY)
