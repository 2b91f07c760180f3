"""What `agent` and `skill` share: a prompt is worked on by a runner, in a conversation, under permissions and budgets."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rota.model.agent import Caps, Denial, OnDenied, Outcome, Permissions
from rota.model.errors import RotaError, StepError
from rota.ports.agents import Account, AgentRequest, AgentResult, Runner, success_of
from rota.ports.steps import Done, StepContext, StepResult, Waiting
from rota.spec.agent_keys import ServerKeys
from rota.steps.agent_answers import (
    Judged,
    done,
    failed,
    in_words,
    judge,
    permission_question,
    read_schema,
    values_of,
)
from rota.steps.agent_keys import AgentKeys
from rota.steps.conversations import Talk, find_talk
from rota.steps.prompt_text import section, system_prompt, whole_prompt
from rota.steps.runner_choice import choose_runner
from rota.templates import fill_secrets_in

_CUT_OFF = "You were interrupted in the midst of this. Look at what is done already, do not do it again, and go on from there."
_ANSWER_LIMIT = 50_000


@dataclass(frozen=True)
class _Work:
    """One try: who works on what, for whose money."""

    runner: Runner
    request: AgentRequest
    talk: Talk
    ctx: StepContext
    minutes: float | None = None


async def ask_agent(keys: AgentKeys, prompt: str, ctx: StepContext) -> StepResult:
    """Have the chosen runner work on the prompt, its inputs and its context."""
    runner = await choose_runner(keys.runner, ctx)
    talk = await find_talk(keys.session, runner, ctx)
    schema = await read_schema(keys.schema_, ctx)
    model = keys.model or ctx.config.agent.model
    caps = Caps() if keys.budget is None else keys.budget.caps()
    request = AgentRequest(
        talk.said or await whole_prompt(prompt, keys, ctx),
        model,
        system=system_prompt(keys.system, ctx),
        session=talk.before,
        session_id=str(uuid.uuid4()),
        tools=_tools(keys.tools),
        mcp=_servers(keys.mcp, ctx),
        schema=schema,
        permissions=_permissions(keys, ctx),
    )
    if talk.cut and not talk.said:
        request = replace(request, prompt=f"{_CUT_OFF}\n\n{section('The task', request.prompt, 10**9)}\n")
    account = await _account(runner, model, caps, ctx)
    minutes = caps.minutes if account is None else account.caps.minutes
    try:
        work = _Work(runner, replace(request, account=account), talk, ctx, minutes)
        result = await _work(work)
    finally:
        if account is not None:
            await account.close()
    return replace(result, kept=_success(result, work)) if isinstance(result, Done) else result


def _success(result: Done, work: _Work) -> dict[str, Any]:
    """That the runner had an answer, for `rota agents`."""
    ctx = work.ctx
    about = {"job": ctx.job.id, "run": ctx.run.id, "model": result.values.get("model")}
    return {success_of(work.runner.key): {"at": ctx.services.clock.now(), **about}}


async def _work(work: _Work) -> StepResult:
    """The call of the runner, a second one where the answer is not what was asked for, and what that makes of the try."""
    await work.talk.begin()
    try:
        result = await _call(work, work.request)
    except RotaError as error:
        ended = Outcome.INTERRUPTED if error.code == "spawner_ended" else Outcome.FAILED
        await work.talk.end(AgentResult(ended))
        raise
    if isinstance(result, Waiting):
        await work.talk.drop()  # it is a person's now
        return result
    wanted = _to_be_asked(work, result)
    if wanted and result.session is not None:
        await work.talk.ask(result.session, wanted)
        work.ctx.say(f"asks for permission to {'; '.join(map(in_words, wanted))}")
        return permission_question(result, wanted, work.ctx)
    judged = None
    if result.outcome is Outcome.DONE and work.request.schema is not None:
        result, judged = await _judged(work, result, work.request.schema)
    if judged is not None and judged.fault is not None:
        await work.talk.drop()
    else:
        await work.talk.end(result)
    values = values_of(
        result, work.runner, work.request.account, result.denied, None if judged is None else judged.data
    )
    return done(result, judged, values) if result.outcome is Outcome.DONE else failed(result, values)


async def _call(work: _Work, request: AgentRequest) -> AgentResult | Waiting:
    return await in_time(work.runner.run(request, work.ctx), work.minutes)


async def in_time(
    work: Coroutine[Any, Any, AgentResult | Waiting], minutes: float | None
) -> AgentResult | Waiting:
    """A runner's work, ended where the minutes of its budgets are over."""
    if minutes is None:
        return await work
    try:
        async with asyncio.timeout(minutes * 60) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        detail = f"the {minutes:g} minutes that its budget had left are used up"
        return AgentResult(Outcome.BUDGET, detail=detail, retry=False)


async def _judged(work: _Work, result: AgentResult, schema: Mapping[str, Any]) -> tuple[AgentResult, Judged]:
    """The answer held against the schema; where the runner knows nothing of schemas, with a second chance."""
    judged = await judge(result, schema, work.ctx)
    if judged.fault is None or result.structured is not None:
        return result, judged
    if not _has_something_left(work.request.account):
        work.ctx.say(f"{judged.fault}; a budget is used up, so it is not asked once more")
        return result, judged
    work.ctx.say(f"{judged.fault}: asked once more")
    again = await _call(work, _once_more(work, result, judged.fault))
    if isinstance(again, Waiting) or again.outcome is not Outcome.DONE:
        return result, judged
    both = replace(
        again,
        usage=result.usage + again.usage,
        turns=result.turns + again.turns,
        tool_calls=result.tool_calls + again.tool_calls,
        denied=(*result.denied, *again.denied),
        session=again.session or result.session,
    )
    return both, await judge(again, schema, work.ctx)


def _has_something_left(account: Account | None) -> bool:
    """Whether one more response may be asked for: the last one may have been just what was left."""
    if account is None:
        return True
    caps = account.caps
    return all(left is None or left > 0 for left in (caps.usd, caps.tokens, caps.turns, caps.minutes))


def _once_more(work: _Work, result: AgentResult, fault: str) -> AgentRequest:
    words = f"{fault[0].upper()}{fault[1:]}. Give the whole answer again, as JSON that fits the schema, and nothing else."
    if result.session is not None and result.session.id:
        return replace(work.request, prompt=f"{words}\n", session=result.session)
    answer = section("Your last answer", result.text, _ANSWER_LIMIT)
    return replace(work.request, prompt=f"{work.request.prompt.rstrip()}\n\n{answer}\n\n{words}\n")


def _to_be_asked(work: _Work, result: AgentResult) -> tuple[Denial, ...]:
    """What a person is asked about: what was denied, each thing once, and not what a person has denied already."""
    denied = tuple(dict.fromkeys(result.denied))
    for one in denied:
        work.ctx.say(f"denied: {in_words(one)}")
    if work.request.permissions.on_denied is not OnDenied.ASK:
        return ()
    if result.outcome not in {Outcome.DONE, Outcome.FAILED}:
        return ()
    wanted = tuple(one for one in denied if one not in work.talk.refused)
    if wanted and (result.session is None or not result.session.id):
        work.ctx.say("nobody is asked about it: this runner keeps no conversation to go on with")
        return ()
    return wanted


async def _account(runner: Runner, model: str | None, caps: Caps, ctx: StepContext) -> Account | None:
    meter = ctx.services.meter
    return None if meter is None else await meter.open(ctx, runner=runner.key, model=model, caps=caps)


def _permissions(keys: AgentKeys, ctx: StepContext) -> Permissions:
    return ctx.config.agent.permissions if keys.permissions is None else keys.permissions.permissions()


def _tools(said: str | list[str] | None) -> tuple[str, ...] | None:
    return None if said is None else (said,) if isinstance(said, str) else tuple(said)


def _servers(said: str | list[str] | dict[str, ServerKeys], ctx: StepContext) -> dict[str, Mapping[str, Any]]:
    """The MCP servers by name, secrets filled in."""
    known = ctx.config.agent.mcp
    found: dict[str, Mapping[str, Any]] = {}
    if isinstance(said, dict):
        found = {name: server.server() for name, server in said.items()}
    else:
        for name in (said,) if isinstance(said, str) else said:
            if name not in known:
                there = ", ".join(known)
                raise StepError(
                    f"there is no MCP server {name!r} in rota.yaml",
                    code="no_server",
                    permanent=True,
                    hint=f"there are: {there}" if there else "add it there: `agent: {mcp: {NAME: ...}}`",
                )
            found[name] = ServerKeys.model_validate(known[name]).server()
    return {name: fill_secrets_in(dict(server), ctx.services.secrets.get) for name, server in found.items()}
