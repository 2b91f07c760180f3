"""What `codex exec --json` says, and what it writes down of each response meanwhile.

On stdout the tokens come once, at the end of a whole turn, and commands that failed do not come at all. Codex's own record of the
conversation has both at once, so that is read as it grows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rota.model.agent import NO_TOKENS, Denial, Outcome, Response, Usage
from rota.ports.agents import AgentResult
from rota.runners._client import shown
from rota.runners._gate import REFUSED_WORDS, denials_in
from rota.runners._talk import Happening, Opened, Over, Paid

_RECONNECTING = re.compile(r"^Reconnecting\.\.\. \d+/\d+ \((.*)\)$", re.DOTALL)
_STATUS = re.compile(r"status:? (\d{3})\b")
_WAIT = re.compile(r"try again in ([\d.]+) ?(ms|s|seconds|m|minutes)\b", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "seconds": 1.0, "m": 60.0, "minutes": 60.0}
_NO_RETRY = frozenset(range(400, 500)) - {408, 409, 425, 429}
_FORBIDDEN = re.compile(
    r"['\s:]([^\s':]+)'?: (?:Read-only file system|Operation not permitted|Permission denied)"
)
_EXIT = re.compile(r"^Process exited with code (\d+)$", re.MULTILINE)
_NOISE = ("bypass-hook-trust", "Model metadata for")
_ITEMS_OF_MODEL = frozenset(
    {"function_call", "custom_tool_call", "local_shell_call", "web_search_call", "reasoning"}
)


@dataclass
class CodexStream:
    """A Reader. `home`: CODEX_HOME, where the record is looked for. `before`: the session's figures when this talk began.

    `gate`: the file to which the gate writes what it refused. `model`: the one that was asked for.
    """

    home: Path
    model: str
    before: Mapping[str, Any] = field(default_factory=dict)
    gate: Path | None = None
    session: str | None = None
    resumed: str | None = None
    asking: bool = True
    tools: int = 0
    denied: dict[Denial, None] = field(default_factory=dict)
    _record: Path | None = None
    _at: int = 0
    _sum: Usage = NO_TOKENS
    _turn: Usage = NO_TOKENS
    _said: str = ""
    _error: str = ""
    _made: set[str] = field(default_factory=set)  # kinds of items since the last response was counted
    _silent: bool = False  # a response came of which nothing is shown
    _over: AgentResult | None = None

    def __post_init__(self) -> None:
        self._sum = _of_kinds(self.before)
        if self.resumed:
            self._record = self._find(self.resumed)
            self._at = self._record.stat().st_size if self._record else 0

    @property
    def totals(self) -> dict[str, Any]:
        """The session's tokens by now."""
        usage = self._sum
        return {
            "in": usage.input,
            "out": usage.output,
            "read": usage.cache_read,
            "written": usage.cache_write,
        }

    @property
    def result(self) -> AgentResult | None:
        """What the client says that it came to."""
        if self._over is None or self._over.outcome is not Outcome.DONE or self._said:
            return self._over
        if self._silent:  # words of a refusal reach neither stdout nor the record
            return AgentResult(
                Outcome.REFUSED, detail="the model declined; codex shows no words of it", retry=False
            )
        return self._over

    def read(self, event: Mapping[str, Any]) -> Iterator[Happening]:
        """What one event means."""
        match event.get("type"):
            case "thread.started":
                self.session = event["thread_id"]
                yield Opened(event["thread_id"])
            case "item.started" | "item.completed":
                yield from self._item(event["item"], over=event["type"] == "item.completed")
            case "error":
                self._error = _words(event.get("message"))
                yield f"the model's API failed: {shown(self._error, 300)}"
                # It would try a filtered request again, and wait for as long as an API asks to, be it an hour.
                if "content_filter" in self._error or "status: 429" in self._error:
                    yield Over(_failed(_RECONNECTING.sub(r"\1", self._error)))
            case "turn.completed":
                self.asking = False
                self._over = AgentResult(Outcome.DONE, self._said)
                self._turn = _usage(event.get("usage") or {})
            case "turn.failed":
                self.asking = False
                self._over = _failed(_words((event.get("error") or {}).get("message")) or self._error)

    def poll(self) -> Iterator[Happening]:
        """What the record and the gate have to say."""
        for line in self._new_lines():
            try:
                entry = json.loads(line)
                yield from self._entry(entry.get("type"), entry.get("payload") or {})
            except (ValueError, AttributeError, KeyError, TypeError):
                continue  # a line of some other version: the end of the turn has the sum
        for denial in denials_in(self.gate):
            if denial not in self.denied:
                self.denied[denial] = None
                yield f"denied: {denial.tool} {shown(denial.what)}"

    def rest(self) -> Iterator[Paid]:
        """What the record did not have and the end of the turn had."""
        yield from self._until(self._turn, f"{self.session}:{self._turn.total}", final=True)

    def _item(self, item: Mapping[str, Any], *, over: bool) -> Iterator[Happening]:
        match item.get("type"):
            case "agent_message" if over:
                self._said = str(item.get("text") or "")
                yield self._said.rstrip()
            case "error" if over:
                words = _words(item.get("message"))
                if not any(noise in words for noise in _NOISE):
                    yield f"codex: {shown(words, 300)}"
            case "file_change" if over:
                yield "> write " + shown(
                    ", ".join(str(change.get("path")) for change in item.get("changes") or ())
                )
            case "mcp_tool_call" if not over:
                yield f"> {item.get('server')}.{item.get('tool')}"
            case "command_execution":
                self.asking = over

    def _entry(self, kind: str | None, payload: Mapping[str, Any]) -> Iterator[Happening]:
        match kind, payload.get("type"):
            case "turn_context", _:
                self.model = payload.get("model") or self.model
            case "token_usage_record", _:
                final = not self._made & {"function_call", "custom_tool_call", "local_shell_call"}
                usage = _usage(payload["thread_token_usage"])
                self._silent = not self._made and usage.output > self._sum.output
                self._made.clear()
                yield from self._until(usage, str(payload["response_id"]), final=final)
            case "event_msg", "token_count" if payload.get("info"):
                usage = _usage(payload["info"]["total_token_usage"])
                yield from self._until(usage, f"{self.session}:{usage.total}", final=False)
            case "response_item", ("function_call" | "custom_tool_call") as what:
                self.tools += 1
                self._made.add(what)
                yield _use_line(payload)
            case "response_item", "function_call_output" | "custom_tool_call_output":
                yield from self._came_back(str(payload.get("output") or ""))
            case "response_item", what:
                if what in _ITEMS_OF_MODEL or (what == "message" and payload.get("role") == "assistant"):
                    self._made.add(str(what))

    def _came_back(self, output: str) -> Iterator[Happening]:
        """What a tool gave back; of what the sandbox forbade, that it did."""
        if REFUSED_WORDS in output:
            return  # the gate tells of it itself
        code = _EXIT.search(output)
        lines = output.partition("Output:\n")[2].strip().splitlines() or output.strip().splitlines()
        yield f"  {'' if code is None else f'exit {code[1]}, '}{len(lines)} lines"
        if code is not None and code[1] != "0" and (found := _FORBIDDEN.search(output)) is not None:
            denial = Denial("write", found[1])
            self.denied[denial] = None
            yield f"denied by the sandbox: write {shown(found[1])}"

    def _until(self, total: Usage, key: str, *, final: bool) -> Iterator[Paid]:
        """What came on top of the figures that were told. The client's are cumulative, also when it resumes a session."""
        usage = total.since(self._sum)
        if usage == NO_TOKENS:
            return
        self._sum = total
        yield Paid(Response(key, self.model, usage), final)

    def _new_lines(self) -> list[bytes]:
        if self._record is None and self.session is not None:
            self._record = self._find(self.session)
        if self._record is None:
            return []
        try:
            with self._record.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return whole.splitlines()

    def _find(self, session: str) -> Path | None:
        return next(iter(self.home.glob(f"sessions/*/*/*/rollout-*{session}.jsonl")), None)


def _failed(words: str) -> AgentResult:
    """A failure in codex's words, which tell of the status at best."""
    found, wait = _STATUS.search(words), _WAIT.search(words)
    status = int(found[1]) if found else 400 if "invalid_request_error" in words else None
    if "idle timeout" in words or "timed out" in words:
        return AgentResult(Outcome.TIMEOUT, detail=shown(words, 300))
    if "content_filter" in words:
        return AgentResult(Outcome.REFUSED, detail=shown(words, 300), retry=False)
    hopeless = "usage limit" in words or "Quota exceeded" in words or "context window" in words
    retry = status not in _NO_RETRY and not hopeless
    after = float(wait[1]) * _SECONDS[wait[2].lower()] if wait and retry else None
    detail = shown(words, 400) or "the turn failed, and codex does not say why"
    return AgentResult(Outcome.PROVIDER, detail=detail, retry=retry, retry_after=after)


def _words(message: Any) -> str:
    """An error's message; the API's own JSON is unwrapped."""
    text = str(message or "")
    try:
        inner = json.loads(text)
        error = inner.get("error") or inner
        return f"{error.get('type') or error.get('code') or 'error'}: {error['message']}"
    except (ValueError, AttributeError, KeyError, TypeError):
        return text


def _use_line(payload: Mapping[str, Any]) -> str:
    name, given = str(payload.get("name")), payload.get("arguments") or payload.get("input") or ""
    try:
        arguments = json.loads(given)
    except ValueError:
        arguments = given
    if name in {"exec_command", "shell", "shell_command"} and isinstance(arguments, dict):
        command = arguments.get("cmd") or arguments.get("command") or ""
        return f"> run {shown(' '.join(command) if isinstance(command, list) else command)}"
    return f"> {name} {shown(given)}"


def _usage(given: Mapping[str, Any]) -> Usage:
    """Tokens as OpenAI counts them: what was read from the cache is part of the input."""

    def count(name: str) -> int:
        return int(given.get(name) or 0)

    read, written = count("cached_input_tokens"), count("cache_write_input_tokens")
    return Usage(max(0, count("input_tokens") - read - written), count("output_tokens"), read, written)


def _of_kinds(kinds: Mapping[str, Any]) -> Usage:
    return Usage(
        int(kinds.get("in", 0)),
        int(kinds.get("out", 0)),
        int(kinds.get("read", 0)),
        int(kinds.get("written", 0)),
    )
