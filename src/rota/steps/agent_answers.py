"""What an agent's work makes of the try: its answer held against a schema, its values, its failure in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rota.model.agent import Denial, Outcome
from rota.model.errors import StepError
from rota.model.message import APPROVE, DENY, PERMISSION, OnDeny
from rota.model.run import Reason
from rota.ports.agents import Account, AgentResult, Runner
from rota.ports.commands import capped
from rota.ports.files import read_text, resolve_inside
from rota.ports.processes import HostCall
from rota.ports.steps import Done, Failed, StepContext, Waiting

# In the room `engine`, which steps do not import: a schema can take for ever over a text, so it is called in a host.
JUDGE = "rota.engine.evidence_host:fault_of"
SCHEMA_LIMIT = 1_000_000
EXPIRES = 7 * 86_400.0
_PREVIEW = 20_000
_WANTED = 20  # of what an agent wants, in one question
_FENCED = re.compile(r"\s*```[A-Za-z]*[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL)
_FINAL = frozenset({Outcome.REFUSED, Outcome.BUDGET})


@dataclass(frozen=True)
class Judged:
    """An answer that was held against a schema. `text`: the JSON alone; `fault`: what is wrong with it, if anything is."""

    text: str
    data: Any = None
    fault: str | None = None


async def read_schema(said: str | Mapping[str, Any] | None, ctx: StepContext) -> Mapping[str, Any] | None:
    """The JSON Schema of a step. Raises StepError where its file holds none: before anything is paid for."""
    if not isinstance(said, str):
        return said  # that it is valid was seen when the job was read
    path = resolve_inside(ctx.workspace, said, purpose="`schema:`", reading=True)
    text = read_text(path, SCHEMA_LIMIT, purpose="`schema:`")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StepError(
            f"`schema:` {said} is no JSON: {error}",
            code="bad_schema",
            permanent=True,
            hint="a JSON Schema is a JSON object",
        ) from None
    if not isinstance(found, dict):
        raise StepError(
            f"`schema:` {said} is no JSON Schema",
            code="bad_schema",
            permanent=True,
            hint="it is an object, such as {type: object}",
        )
    await _fault_of("null", found, ctx)
    return found


async def judge(result: AgentResult, schema: Mapping[str, Any], ctx: StepContext) -> Judged:
    """Hold an answer against the schema."""
    if result.structured is not None:
        text = json.dumps(result.structured, ensure_ascii=False, indent=2)
    else:
        fenced = _FENCED.fullmatch(result.text)
        text = (fenced[1] if fenced else result.text).strip()
    fault = await _fault_of(text, schema, ctx)
    return Judged(text, json.loads(text)) if fault is None else Judged(text, fault=f"the answer {fault}")


async def _fault_of(text: str, schema: Mapping[str, Any], ctx: StepContext) -> str | None:
    arguments = {"text": text, "schema": dict(schema), "path": None}
    call = HostCall(JUDGE, arguments, ctx.env, ctx.workspace)
    fault: str | None = await ctx.services.hosts.call(call, ctx.log)
    if fault is not None and fault.startswith("cannot be judged"):
        raise StepError(
            f"`schema:` {fault}",
            code="bad_schema",
            permanent=True,
            hint="the form is JSON Schema: https://json-schema.org",
        )
    return fault


def values_of(
    result: AgentResult, runner: Runner, account: Account | None, denied: Sequence[Denial], data: Any = None
) -> dict[str, Any]:
    """What the step puts out beside its text. None: not known."""
    known = result.usage.total > 0
    return {
        "text": result.text,
        "runner": runner.key,
        "model": result.model,
        "session": result.session.id if result.session is not None else None,
        "turns": result.turns or None,
        "tokens": result.usage.total if known else None,
        "usd": getattr(account, "usd", None),
        "denied": [{"tool": one.tool, "what": one.what} for one in denied],
        "data": data,
    }


def failed(result: AgentResult, values: Mapping[str, Any]) -> Failed:
    """A failure in the runner's words."""
    code = result.code or result.outcome.value
    return Failed(
        Reason(code, result.detail or code.replace("_", " ")),
        exit_code=result.exit_code,
        retry=result.retry and result.outcome not in _FINAL,
        retry_after=result.retry_after,
        output=result.text,
        values=values,
    )


def done(result: AgentResult, judged: Judged | None, values: Mapping[str, Any]) -> Done | Failed:
    """An answer, if it is what was asked for."""
    if judged is None:
        return Done(result.text, values, exit_code=result.exit_code)
    if judged.fault is not None:
        return Failed(
            Reason("bad_answer", judged.fault),
            exit_code=result.exit_code,
            output=result.text,
            values=values,
        )
    return Done(judged.text, {**values, "text": judged.text}, exit_code=result.exit_code)


def in_words(denied: Denial) -> str:
    """What an agent wanted, for people."""
    verbs = {"run": "run", "write": "write", "net": "reach"}
    verb = verbs.get(denied.tool)
    what = " ".join(denied.what.split())[:300]
    return f"{verb} {what}" if verb else f"use {denied.tool}: {what}" if what else f"use {denied.tool}"


def permission_question(result: AgentResult, wanted: Sequence[Denial], ctx: StepContext) -> Waiting:
    """What the agent wants to do and may not, put before a person; without an answer it stays denied."""
    shown = [in_words(one) for one in wanted[:_WANTED]]
    more = len(wanted) - len(shown)
    lines = [f"- {line}" for line in shown] + ([f"- and {more} more like these"] if more else [])
    head = f"The agent of step `{ctx.step.id}` of {ctx.job.name} wants to do what it may not:"
    return Waiting(
        PERMISSION,
        "\n".join([head, *lines]),
        Reason(
            PERMISSION,
            f"waits for permission to {shown[0]}"
            + (f", and {len(wanted) - 1} more" if len(wanted) > 1 else ""),
        ),
        (APPROVE, DENY),
        preview=f"So far it has said:\n\n{capped(result.text.strip(), _PREVIEW)}"
        if result.text.strip()
        else None,
        expires=EXPIRES,
        fallback=DENY,
        on_deny=OnDeny.CONTINUE,
    )
