"""Answers that have to fit a schema: judged apart from the daemon, mended once by going on with the conversation."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from rota.model.agent import Outcome
from rota.ports.agents import AgentRequest, AgentResult
from rota.ports.processes import HostCall
from rota.ports.steps import StepContext

# Judged in a host: a schema with a pattern can take for ever over a text.
_JUDGE = "rota.engine.evidence_host:fault_of"
_LONGEST = 20_000


async def with_schema(
    request: AgentRequest, ctx: StepContext, once: Callable[[AgentRequest], Awaitable[AgentResult]]
) -> AgentResult:
    """Ask once, and once more where the answer does not fit the request's schema; the money of both is in the result."""
    first = await once(request)
    if request.schema is None or first.outcome is not Outcome.DONE:
        return first
    fault, value = await _judged(first, request.schema, ctx)
    if fault is None:
        return replace(first, structured=value)
    if first.session is None:
        return _unfit(first, fault)
    ctx.say(f"the answer {fault}; it is asked for once more")
    prompt = f"Your answer {fault}. Answer again: with that JSON value, and nothing else.\n\n{schema_words(request.schema)}"
    second = _together(first, await once(replace(request, prompt=prompt, session=first.session)))
    if second.outcome is not Outcome.DONE:
        return second
    fault, value = await _judged(second, request.schema, ctx)
    return replace(second, structured=value) if fault is None else _unfit(second, fault)


def schema_words(schema: Mapping[str, Any]) -> str:
    """The part of a prompt that asks for an answer in JSON."""
    text = json.dumps(schema, ensure_ascii=False)
    return f"The final answer has to be one JSON value, without any words around it, that fits this JSON Schema:\n{text}"


def bare_json(text: str) -> str:
    """The JSON of an answer: models like to put it into a fence."""
    said = text.strip()
    if said.startswith("```") and said.endswith("```") and "\n" in said:
        return said[said.index("\n") + 1 : -3].strip()
    return said


async def _judged(result: AgentResult, schema: Mapping[str, Any], ctx: StepContext) -> tuple[str | None, Any]:
    """What keeps an answer from fitting, and the answer as a value where nothing does."""
    if result.structured is not None:
        text = json.dumps(result.structured, ensure_ascii=False)
    else:
        text = bare_json(result.text)
    call = HostCall(_JUDGE, {"text": text, "schema": dict(schema), "path": None})
    fault = await ctx.services.hosts.call(call, ctx.log)
    return (None, json.loads(text)) if fault is None else (str(fault)[:_LONGEST], None)


def _unfit(result: AgentResult, fault: str) -> AgentResult:
    return replace(result, outcome=Outcome.FAILED, detail=f"the answer {fault}", code="bad_answer")


def _together(first: AgentResult, second: AgentResult) -> AgentResult:
    usd = [one for one in (first.client_usd, second.client_usd) if one is not None]
    return replace(
        second,
        usage=first.usage + second.usage,
        client_usd=sum(usd) if usd else None,
        turns=first.turns + second.turns,
        tool_calls=first.tool_calls + second.tool_calls,
        denied=tuple(dict.fromkeys((*first.denied, *second.denied))),
        session=second.session or first.session,
    )
