"""The builtin agent at work, in a host: asks the model, uses the tools, keeps the conversation, gives the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic_ai.messages import ModelRequest, ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestParameters

from rota.model.agent import Denial, OnDenied, Outcome, Permissions
from rota.runners.builtin_answers import fault_of, instructions, once_more, with_schema
from rota.runners.builtin_line import Line
from rota.runners.builtin_models import Api, AskError, key_of, refusal_of, usage_of
from rota.runners.builtin_talk import UNKNOWN, Talk, prune
from rota.runners.builtin_tools import Place, Tools, opened_tools, real

Result = dict[str, Any]


async def work(
    *,
    line: str,
    workspace: str,
    file: str,
    of: str,
    prompt: str,
    system: str | None,
    api: Mapping[str, Any],
    turns: int,
    schema: Mapping[str, Any] | None,
    permissions: Mapping[str, Any],
    grants: Sequence[Mapping[str, str]],
    tools: Sequence[str] | None,
    desk: Sequence[Mapping[str, Any]],
    mcp: Mapping[str, Mapping[str, Any]],
    env: Mapping[str, str],
    keep: float,
) -> Result:
    """Have the prompt worked on; see `builtin._result` for what comes back. Raises StepError."""
    async with Line.open(line) as open_line:
        place = Place(
            real(workspace),
            _permissions(permissions),
            tuple(Denial(**grant) for grant in grants),
            open_line,
            env,
        )
        async with opened_tools(place, tools, desk, mcp) as found, Api.open(api) as opened_api:
            talk = Talk.load(Path(file), of)
            words = instructions(place, system)
            if talk.goes_on(of):
                await open_line.say("the conversation goes on where it was cut off")
            else:
                talk.begin(of, with_schema(prompt, schema), words)
            worker = _Worker(talk, opened_api, found, open_line, words, turns, schema)
            result = await worker.work()
        prune(talk.path.parent, keep)
        return result


def _permissions(told: Mapping[str, Any]) -> Permissions:
    rota = told["rota"]
    return Permissions(
        tuple(told["run"]),
        tuple(told["write"]),
        tuple(told["net"]),
        None if rota is None else tuple(rota),
        OnDenied(told["on_denied"]),
    )


@dataclass
class _Worker:
    """One try. Where it stands is told by the last message alone, so that it can begin anywhere."""

    talk: Talk
    api: Api
    tools: Tools
    line: Line
    words: str
    turns: int
    schema: Mapping[str, Any] | None
    asked: int = 0
    parameters: ModelRequestParameters = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = ModelRequestParameters(function_tools=self.tools.definitions())

    async def work(self) -> Result:
        while True:
            last = self.talk.last
            ended = await (self._ask_model() if isinstance(last, ModelRequest) else self._take_response(last))
            if ended is not None:
                return ended

    async def _ask_model(self) -> Result | None:
        """Make the next request; what the work ends with, if there is to be none or it fails."""
        if self.asked >= self.turns:
            detail = f"{self.turns} turns are used up (`turns:` under `agent: builtin:` in rota.yaml)"
            return self._ended({"outcome": Outcome.BUDGET.value, "detail": detail, "retry": False})
        attempt = 0
        while True:
            try:
                response = await self.api.ask(self.talk.messages, self.parameters, self.line)
            except AskError as error:
                words = None if error.partial is None else await self._pay(error.partial)
                if words is not None:
                    return self._over_budget(words)
                if await self.api.wait(error, attempt, self.line):
                    attempt += 1
                    continue
                return self._ended(error.outcome)
            self.asked += 1
            key_of(response)
            self.talk.answered(response)
            return None

    async def _take_response(self, response: ModelResponse) -> Result | None:
        """Tell of a response, then do what it asks for; what the work ends with, if that was all."""
        if not self.talk.told:
            words = await self._pay(response)
            self.talk.told = True
            if words is not None:
                self.talk.save()
                return self._over_budget(words)
        refusal = refusal_of(response)
        if refusal is not None:
            self.talk.end()
            return self._ended({"outcome": Outcome.REFUSED.value, "detail": refusal, "retry": False})
        if any(isinstance(part, ToolCallPart) for part in response.parts):
            for call in self.talk.open_calls():
                await self._use(call)
            self.talk.hand_in(self.words)
            return None
        return await self._answer(response)

    async def _use(self, call: ToolCallPart) -> None:
        """Have one call done, unless it was begun before and nobody knows what came of it."""
        if self.talk.has_begun(call):
            await self.line.say(f"> {call.tool_name}: {UNKNOWN}")
            self.talk.settle(call, UNKNOWN, "interrupted")
            return
        if self.tools.changes(call.tool_name):
            self.talk.note_begun(call)
        used = await self.tools.use(call)
        if used.denied is not None:
            self.talk.denied.append(asdict(used.denied))
        self.talk.settle(call, used.text, used.outcome)

    async def _answer(self, response: ModelResponse) -> Result | None:
        text = (response.text or "").strip()
        if response.finish_reason == "length":
            self.talk.end()
            detail = "the answer was cut off, since it has as many tokens as a response may have"
            return self._ended({"outcome": Outcome.FAILED.value, "code": "cut_off", "detail": detail}, text)
        if self.schema is not None:
            return await self._structured(text, self.schema)
        self.talk.end()
        if not text and not self.talk.calls:
            return self._ended(
                {
                    "outcome": Outcome.FAILED.value,
                    "code": "empty_answer",
                    "detail": "the model gave no answer",
                }
            )
        return self._ended({"outcome": Outcome.DONE.value}, text)

    async def _structured(self, text: str, schema: Mapping[str, Any]) -> Result | None:
        value, fault = fault_of(text, schema)
        if fault is None:
            self.talk.end()
            return self._ended({"outcome": Outcome.DONE.value, "structured": value}, text)
        if not self.talk.repaired:
            await self.line.say(f"{fault}: asked once more")
            self.talk.repaired = True
            self.talk.ask(once_more(fault), self.words)
            return None
        self.talk.end()
        return self._ended({"outcome": Outcome.FAILED.value, "code": "bad_answer", "detail": fault}, text)

    async def _pay(self, response: ModelResponse) -> str | None:
        """Tell of what a response took; the words of a budget that is used up."""
        usage = usage_of(response.usage)
        if not any(usage.values()) and response.state != "complete":
            return None  # it broke off before the provider said
        said: str | None = await self.line.ask(
            "paid", key=key_of(response), model=response.model_name or self.api.model.model_name, usage=usage
        )
        taken = usage["input"] + usage["cache_read"] + usage["cache_write"]
        await self.line.say(f"turn {self.asked}: {taken:,} in, {usage['output']:,} out")
        return said

    def _over_budget(self, words: str) -> Result:
        return self._ended({"outcome": Outcome.BUDGET.value, "detail": words, "retry": False})

    def _ended(self, told: Mapping[str, Any], text: str = "") -> Result:
        answers = [message for message in self.talk.messages if isinstance(message, ModelResponse)]
        return {
            "text": text or ((answers[-1].text or "").strip() if answers else ""),
            "model": answers[-1].model_name if answers else None,
            "denied": self.talk.denied,
            "tool_calls": self.talk.calls,
            **told,
        }
