"""What `claude -p --output-format stream-json` says, event by event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rota.model.agent import NO_TOKENS, Denial, Outcome, Response, Usage
from rota.ports.agents import AgentResult
from rota.runners._client import shown
from rota.runners._gate import REFUSED_WORDS, denial_of
from rota.runners._talk import Happening, Opened, Over, Paid

SYNTHETIC = "<synthetic>"  # the model of messages that the client itself makes up
_UNASKED = "Permission to use "  # how the client's own refusals begin; the gate's are in its words
_LONGEST_WAIT = 30.0  # seconds that the client may wait before it asks again
_SHORTEST_TOLD = 1.5  # its own first pause is shorter: more was asked for by the API
_NO_RETRY = frozenset(range(400, 500)) - {408, 409, 425, 429}


@dataclass
class _Message:
    """A response under way."""

    id: str
    model: str
    usage: Usage


@dataclass
class ClaudeStream:
    """A Reader. `before`: the session's figures when this talk began. `servers`: the MCP servers that have to be there.

    `wait`: the longest pause before another try that the client may make. `root`: the workspace, in whose words files
    are told of. `tools`: how many it used.
    """

    before: Mapping[str, Any] = field(default_factory=dict)
    servers: Sequence[str] = ()
    wait: float = _LONGEST_WAIT
    root: str = ""
    session: str | None = None
    asking: bool = True
    tools: int = 0
    denied: dict[str, Denial] = field(default_factory=dict)
    _message: _Message | None = None
    _stop: str | None = None
    _told: dict[str, Usage] = field(default_factory=dict)  # by message id
    _by_model: dict[str, Usage] = field(default_factory=dict)
    _uses: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    _error: str = ""
    _retry_after: float | None = None
    _final: Mapping[str, Any] | None = None

    @property
    def totals(self) -> dict[str, Any]:
        """The session's figures by now: tokens by model, dollars of the client's own."""
        models = {name: dict(kinds) for name, kinds in self.before.get("models", {}).items()}
        for name, usage in self._by_model.items():
            models[name] = _as_kinds(_of_kinds(models.get(name, {})) + usage)
        return {"models": models, "usd": self.before.get("usd", 0.0) + (self._usd() or 0.0)}

    @property
    def result(self) -> AgentResult | None:
        """What the client says that it came to."""
        return None if self._final is None else self._judged(self._final)

    def poll(self) -> Iterable[Happening]:
        """Nothing: the stream says it all."""
        return ()

    def read(self, event: Mapping[str, Any]) -> Iterator[Happening]:
        """What one event means."""
        match event.get("type"):
            case "system":
                yield from self._system(event)
            case "stream_event":
                yield from self._piece(event["event"], inner=bool(event.get("parent_tool_use_id")))
            case "assistant":
                yield from self._assistant(event)
            case "user":
                yield from self._results(event["message"]["content"])
            case "result":
                self._final = event
                self.asking = False

    def rest(self) -> Iterator[Paid]:
        """A message that was cut off, then what the client counts beyond its messages, with its own dollars."""
        yield from self._cut_off()
        if self._final is None:
            return
        rest, usd = self._beyond(), self._usd()
        model = self._other_model() if rest != NO_TOKENS else next(iter(self._by_model), None)
        if model is not None and (rest != NO_TOKENS or usd is not None):
            self._by_model[model] = self._by_model.get(model, NO_TOKENS) + rest
            key = f"{self.session}:{self._final.get('uuid')}"
            yield Paid(Response(key, model, rest, usd, turns=0), final=True)

    def _cut_off(self) -> Iterator[Paid]:
        if self._message is not None:
            message, self._message = self._message, None
            yield from self._pay(message.id, message.model, message.usage, final=False)

    def _system(self, event: Mapping[str, Any]) -> Iterator[Happening]:
        match event.get("subtype"):
            case "init":
                yield from self._init(event)
            case "status" if event.get("status") == "requesting":
                self.asking = True
            case "api_retry":
                yield from self._retrying(event)
            case "model_refusal_no_fallback":
                yield "the model declined"

    def _init(self, event: Mapping[str, Any]) -> Iterator[Happening]:
        first = self.session is None
        self.session = event["session_id"]
        if not first:
            return
        yield Opened(event["session_id"])
        yield f"claude {event.get('claude_code_version', '')}, {event.get('model', '')}"
        states = {server["name"]: server.get("status") for server in event.get("mcp_servers", ())}
        dead = [name for name in self.servers if states.get(name) != "connected"]
        if dead:
            names = ", ".join(f"`{name}` ({states.get(name, 'not there')})" for name in dead)
            detail = f"MCP servers that did not start: {names}"
            yield Over(AgentResult(Outcome.FAILED, detail=detail, code="mcp_server"))

    def _retrying(self, event: Mapping[str, Any]) -> Iterator[Happening]:
        pause, status = float(event.get("retry_delay_ms") or 0) / 1000, event.get("error_status")
        why = f"{status or ''} {event.get('error') or ''}".strip()
        if pause >= _SHORTEST_TOLD:
            self._retry_after = pause
        if pause > self.wait:
            detail = f"the model's API asks to wait {pause:g} s ({why})"
            yield Over(AgentResult(Outcome.PROVIDER, detail=detail, retry_after=pause))
        yield f"the model's API failed ({why}); it is asked again in {pause:.1f} s"

    def _piece(self, event: Mapping[str, Any], *, inner: bool) -> Iterator[Happening]:
        """A piece of a response. Its end carries the figures that its message's beginning could not know."""
        match event.get("type"):
            case "message_start":
                yield from self._cut_off()
                message = event["message"]
                self.asking = True
                self._message = _Message(message["id"], message["model"], _usage(message.get("usage", {})))
            case "message_delta" if self._message is not None:
                self._message.usage = _usage(event.get("usage") or {}, self._message.usage)
                self._stop = event.get("delta", {}).get("stop_reason")
            case "message_stop" if self._message is not None:
                message, self._message = self._message, None
                self.asking = False
                final = self._stop != "tool_use" and not inner
                yield from self._pay(message.id, message.model, message.usage, final=final)

    def _assistant(self, event: Mapping[str, Any]) -> Iterator[Happening]:
        message = event["message"]
        model = message.get("model")
        texts = [part["text"] for part in message["content"] if part.get("type") == "text"]
        if model == SYNTHETIC:
            self._error = " ".join(texts)
            return
        yield from (text.rstrip() for text in texts if text.strip())
        for part in message["content"]:
            if part.get("type") == "tool_use" and part["id"] not in self._uses:
                self.tools += part["name"] != "StructuredOutput"
                self._uses[part["id"]] = part["name"], part.get("input") or {}
                yield _use_line(part["name"], part.get("input") or {}, self.root)
        under_way = self._message is not None and self._message.id == message["id"]
        if not under_way and message["id"] not in self._told:  # of a subagent: it comes whole, or not at all
            yield from self._pay(message["id"], model, _usage(message.get("usage", {})), final=False)

    def _results(self, content: Any) -> Iterator[Happening]:
        for part in content if isinstance(content, list) else ():
            if part.get("type") != "tool_result":
                continue
            text, use = _text(part.get("content")), self._uses.get(part.get("tool_use_id", ""))
            if part.get("is_error") and use is not None and text.startswith((REFUSED_WORDS, _UNASKED)):
                denial = self.denied[part["tool_use_id"]] = denial_of(*use, self.root)
                yield f"denied: {denial.tool} {shown(denial.what)}"
            else:
                yield f"  {'failed: ' if part.get('is_error') else ''}{_result_line(text)}"

    def _pay(self, key: str, model: str, usage: Usage, *, final: bool) -> Iterator[Paid]:
        if key in self._told:
            return
        self._told[key] = usage
        self._by_model[model] = self._by_model.get(model, NO_TOKENS) + usage
        yield Paid(Response(key, model, usage), final)

    def _beyond(self) -> Usage:
        """What the client counts beyond the messages that came, whether or not it counts earlier talks too."""
        told = sum(self._told.values(), self._earlier if self._counts_all else NO_TOKENS)
        return self._counted.since(told)

    def _other_model(self) -> str | None:
        """The model that the client used besides those whose messages came; names of one model differ in their ends."""
        names = list((self._final or {}).get("modelUsage", {}))
        told = [name.partition("[")[0] for name in self._by_model]
        others = [
            name for name in names if not any(name.startswith(one) or one.startswith(name) for one in told)
        ]
        return next(iter([*others, *self._by_model, *names]), None)

    @property
    def _counted(self) -> Usage:
        kinds = (self._final or {}).get("modelUsage", {}).values()
        return sum((_usage_of_model(one) for one in kinds), NO_TOKENS)

    @property
    def _earlier(self) -> Usage:
        return sum((_of_kinds(kinds) for kinds in self.before.get("models", {}).values()), NO_TOKENS)

    @property
    def _counts_all(self) -> bool:
        """Whether its figures are those of the whole session: some versions go on counting when they resume one."""
        told = sum(self._told.values(), NO_TOKENS)
        return self._earlier != NO_TOKENS and self._counted.total >= self._earlier.total + told.total

    def _usd(self) -> float | None:
        if self._final is None or self._final.get("total_cost_usd") is None:
            return None
        usd = float(self._final["total_cost_usd"])
        return max(0.0, usd - float(self.before.get("usd", 0.0))) if self._counts_all else usd

    def _judged(self, final: Mapping[str, Any]) -> AgentResult:
        text = str(final.get("result") or "")
        for denial in final.get("permission_denials") or ():
            self.denied.setdefault(
                denial.get("tool_use_id", ""),
                denial_of(denial.get("tool_name", ""), denial.get("tool_input") or {}, self.root),
            )
        subtype = str(final.get("subtype"))
        errors = "; ".join(str(error) for error in final.get("errors") or ())
        if subtype in {"error_max_turns", "error_max_budget_usd"}:
            detail = errors or f"the client's own cap was reached ({subtype.removeprefix('error_')})"
            return AgentResult(Outcome.BUDGET, text, detail=detail, retry=False)
        if final.get("stop_reason") == "refusal":
            return AgentResult(Outcome.REFUSED, detail=self._error or "the model declined", retry=False)
        if final.get("is_error"):
            return self._failed(final, text or self._error or errors or subtype)
        structured = final.get("structured_output")
        return AgentResult(Outcome.DONE, text.rstrip(), structured=structured)

    def _failed(self, final: Mapping[str, Any], words: str) -> AgentResult:
        """A failure. `is_error` alone tells: its subtype may well be `success`."""
        status = final.get("api_error_status")
        if "No conversation found" in words:
            hint = "its files are gone, or were made in another folder"
            return AgentResult(
                Outcome.FAILED, detail=f"{shown(words)}: {hint}", code="session_gone", retry=False
            )
        if "Not logged in" in words or "Invalid API key" in words:
            return AgentResult(Outcome.PROVIDER, detail=shown(words), code="no_key", retry=False)
        if words.startswith("Request timed out"):
            return AgentResult(Outcome.TIMEOUT, detail="the model's API did not answer in time")
        if status is None and not words.startswith("API Error"):
            return AgentResult(Outcome.FAILED, detail=shown(words, 400))
        retry = status not in _NO_RETRY
        after = self._retry_after if retry else None
        return AgentResult(Outcome.PROVIDER, detail=shown(words, 400), retry=retry, retry_after=after)


def _use_line(tool: str, given: Mapping[str, Any], root: str) -> str:
    denial = denial_of(tool, given, root)
    name = {"run": "run", "write": tool.lower(), "read": tool.lower(), "net": "fetch"}.get(denial.tool, tool)
    return f"> {name} {shown(denial.what)}"


def _result_line(text: str) -> str:
    lines = text.strip().splitlines()
    if not lines:
        return "done"
    return shown(lines[0]) if len(lines) == 1 else f"{shown(lines[0], 100)} ({len(lines)} lines)"


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return str(content or "")


def _usage(given: Mapping[str, Any], before: Usage = NO_TOKENS) -> Usage:
    """Tokens of the wire format; figures only grow from a response's beginning to its end."""

    def count(name: str, was: int) -> int:
        value = given.get(name)
        return max(int(value), was) if isinstance(value, int | float) else was

    return Usage(
        count("input_tokens", before.input),
        count("output_tokens", before.output),
        count("cache_read_input_tokens", before.cache_read),
        count("cache_creation_input_tokens", before.cache_write),
    )


def _usage_of_model(kinds: Mapping[str, Any]) -> Usage:
    return Usage(
        int(kinds.get("inputTokens") or 0),
        int(kinds.get("outputTokens") or 0),
        int(kinds.get("cacheReadInputTokens") or 0),
        int(kinds.get("cacheCreationInputTokens") or 0),
    )


def _as_kinds(usage: Usage) -> dict[str, int]:
    return {"in": usage.input, "out": usage.output, "read": usage.cache_read, "written": usage.cache_write}


def _of_kinds(kinds: Mapping[str, Any]) -> Usage:
    return Usage(
        int(kinds.get("in", 0)),
        int(kinds.get("out", 0)),
        int(kinds.get("read", 0)),
        int(kinds.get("written", 0)),
    )
