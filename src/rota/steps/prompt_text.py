"""What an agent is given to read: the prompt with its inputs and context, and the system prompt."""

from __future__ import annotations

import json
import re
from typing import Any

from rota.model.errors import StepError
from rota.ports.commands import capped
from rota.ports.files import read_text, resolve_inside
from rota.ports.steps import StepContext
from rota.schedule import local_time
from rota.spec.agent_keys import ContextKeys, PastKeys, listed
from rota.steps.agent_keys import AgentKeys
from rota.steps.context import passages
from rota.steps.inputs import file_text, may_name_file
from rota.templates import render, render_value

INPUT_LIMIT = 100_000
RESULT_LIMIT = 20_000
SYSTEM_LIMIT = 100_000
PERSONA = ".rota/persona.md"
_LIKE_A_PATH = re.compile(r"\S*(?:/\S+|\S\.(?:md|txt|markdown))")


async def whole_prompt(prompt: str, keys: AgentKeys, ctx: StepContext) -> str:
    """The prompt, then each input and each part of the context as a section of its own."""
    parts = [prompt.rstrip()]
    parts += [_input(name, raw, ctx) for name, raw in keys.input.items()]
    if keys.context is not None:
        parts += await _context(keys.context, ctx)
    return "\n\n".join(parts) + "\n"


def system_prompt(said: str | bool | None, ctx: StepContext) -> str | None:
    """The step's own, else the file that rota.yaml names, else the workspace's persona, where it is there."""
    if said is None and ctx.config.agent.system is not None:
        path = resolve_inside(
            ctx.workspace, ctx.config.agent.system, purpose="`agent: system:`", reading=True
        )
        return _filled(read_text(path, SYSTEM_LIMIT, purpose="`agent: system:`"))
    if said is None:
        return _filled(file_text(PERSONA, ctx.workspace, SYSTEM_LIMIT) or "")
    if isinstance(said, bool):
        return None
    text = render(said, ctx.values)
    name = text.strip()
    if may_name_file(said):
        file = file_text(name, ctx.workspace, SYSTEM_LIMIT)
        if file is not None:
            return _filled(file)
        if _LIKE_A_PATH.fullmatch(name):  # else its name would be all that the agent is told about itself
            raise StepError(
                f"`system:` names a file that cannot be read: {name}",
                code="no_system",
                permanent=True,
                hint="it has to be a text file in the workspace; a text of one word may end with a full stop",
            )
    return _filled(text)


def _filled(text: str) -> str | None:
    return capped(text, SYSTEM_LIMIT) if text.strip() else None


def _input(name: str, raw: Any, ctx: StepContext) -> str:
    value = render_value(raw, ctx.values)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    heading = f"Input: {name}"
    file = (
        file_text(text, ctx.workspace, INPUT_LIMIT) if isinstance(raw, str) and may_name_file(raw) else None
    )
    if file is not None:
        heading, text = f"{heading} (the file {text})", file
    return section(heading, text, INPUT_LIMIT)


async def _context(said: str | ContextKeys, ctx: StepContext) -> list[str]:
    keys = ContextKeys(query=said) if isinstance(said, str) else said
    parts = [_file(raw, ctx) for raw in listed(keys.files)]
    if keys.past is not None:
        parts += await _past(keys.past, ctx)
    if keys.query is not None:
        question = render(keys.query, ctx.values)
        paths = [render(path, ctx.values) for path in listed(keys.in_)]
        found = await passages(ctx, question, budget=keys.budget, paths=paths, since=keys.since)
        if found["count"]:
            heading = f"Context: what this workspace has about {' '.join(question.split())[:200]}"
            parts.append(section(heading, found["text"], ctx.config.limits.value))
    return parts


def _file(raw: str, ctx: StepContext) -> str:
    name = render(raw, ctx.values)
    text = file_text(name, ctx.workspace, INPUT_LIMIT) if may_name_file(raw) else None
    if text is None:
        raise StepError(
            f"`context: files:` names a file that cannot be read: {name}",
            code="no_file",
            permanent=True,
            hint="it has to be a text file in the workspace; `{{ values }}` may complete a path, not be one",
        )
    return section(f"Context: the file {name}", text, INPUT_LIMIT)


async def _past(keys: PastKeys, ctx: StepContext) -> list[str]:
    history = ctx.services.history
    job_id = render(keys.job, ctx.values) if keys.job is not None else ctx.job.id
    found = None if history is None else await history.results(job_id, keys.last, but=ctx.run.id)
    if found is None:
        raise StepError(
            f"`context: runs:` names a job that is not there: {job_id}",
            code="no_job",
            permanent=True,
            hint="see `rota list`",
        )
    zone = str(ctx.values.get("timezone") or ctx.config.timezone)
    ctx.say(f"{len(found)} earlier result{'' if len(found) == 1 else 's'} of {job_id}")
    return [
        section(f"Context: what `{job_id}` put out on {_when(one.at, zone)}", one.output, RESULT_LIMIT)
        for one in found
    ]


def _when(at: int, zone: str) -> str:
    return f"{local_time(at, zone):%Y-%m-%d %H:%M}"


def section(heading: str, text: str, limit: int) -> str:
    """A heading, and the text below it in a fence that nothing in the text can close."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"## {heading}\n\n{fence}\n{capped(text, limit).rstrip()}\n{fence}"
