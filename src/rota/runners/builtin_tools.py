"""The tools of the builtin agent: which there are, whether a call is allowed, what it did in a line. In hosts only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import ToolDefinition

from rota.model.agent import Denial, OnDenied, Permissions
from rota.model.errors import RotaError, StepError
from rota.runners.builtin_line import Line

LONGEST = 60_000  # characters of a result: more would crowd out the conversation
_SHOWN, _EXCERPT = 160, 200
# What other agents call the same, so that a `tools:` written for them is understood.
ALIASES = {"bash": "run", "shell": "run", "ls": "list", "glob": "list", "grep": "search", "webfetch": "fetch"}


@dataclass(frozen=True)
class Place:
    """Where an agent works and what it may do there. `workspace`: links resolved; `env`: of what it starts."""

    workspace: Path
    permissions: Permissions
    grants: tuple[Denial, ...]
    line: Line
    env: Mapping[str, str]


class DeniedError(Exception):
    """Something that is not allowed, and that a person could allow. Its text is for the agent."""

    def __init__(self, denial: Denial, words: str) -> None:
        super().__init__(words)
        self.denial = denial


@dataclass(frozen=True)
class Did:
    """What a tool did. `text`: for the agent; `note`: for the log, in a few words."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Tool:
    """One tool. `parameters`: a JSON Schema of an object. `looks`: it changes nothing, so that it can be used twice.

    `use` takes the arguments and raises DeniedError, or RotaError in words for the agent. `shown`: the argument that a
    line of the log shows; by default all of them.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    use: Callable[[Mapping[str, Any]], Awaitable[Did]]
    looks: bool = False
    shown: str | None = None


@dataclass(frozen=True)
class Used:
    """What came of a call. `outcome`: success, failed or denied."""

    text: str
    outcome: str = "success"
    denied: Denial | None = None


class Tools:
    """Those of one conversation."""

    def __init__(self, place: Place, tools: Sequence[Tool]) -> None:
        self._place = place
        self._tools = {tool.name: tool for tool in tools}

    def definitions(self) -> list[ToolDefinition]:
        """What the model is told of them."""
        return [
            ToolDefinition(
                name=tool.name, description=tool.description, parameters_json_schema=dict(tool.parameters)
            )
            for tool in self._tools.values()
        ]

    def changes(self, name: str) -> bool:
        """Whether a call of it may change something."""
        return name in self._tools and not self._tools[name].looks

    async def use(self, call: ToolCallPart) -> Used:
        """Do what a call asks for; whatever goes wrong is told to the agent. The log hears of both."""
        say = self._place.line.say
        tool = self._tools.get(call.tool_name)
        if tool is None:
            await say(f"> {call.tool_name}: there is no such tool")
            return Used(f"There is no tool `{call.tool_name}`. There are: {', '.join(self._tools)}", "failed")
        try:
            arguments = call.args_as_dict(raise_if_invalid=True)
        except (ValueError, AssertionError):
            await say(f"> {tool.name}: its arguments are no JSON")
            return Used("The arguments are not a JSON object.", "failed")
        await say(f"> {tool.name} {_shown(arguments, tool.shown)}")
        try:
            _check(tool, arguments)
            did = await tool.use(arguments)
        except DeniedError as error:
            await say(f"  denied: {error.denial.tool} {_one_line(error.denial.what, _SHOWN)}")
            return Used(f"Denied: {error}. {self._after_denial()}", "denied", error.denial)
        except RotaError as error:
            await say(f"  failed: {_one_line(error.message, _EXCERPT)}")
            hint = f" ({error.hint})" if error.hint else ""
            return Used(f"{error.message}{hint}", "failed")
        await say(f"  {did.note or _one_line(did.text, _EXCERPT) or 'done'}")
        return Used(cut(did.text))

    def _after_denial(self) -> str:
        if self._place.permissions.on_denied is OnDenied.ASK:
            return "It was put before a person: stop here, and say what you have done and what you wait for."
        return "Go on without it, and say in the end what is missing for want of it."


@asynccontextmanager
async def opened_tools(
    place: Place,
    wanted: Sequence[str] | None,
    desk: Sequence[Mapping[str, Any]],
    mcp: Mapping[str, Mapping[str, Any]],
) -> AsyncIterator[Tools]:
    """The tools, MCP servers started. `wanted`: names or patterns (None: all). Raises StepError for what is not there."""
    from rota.runners.builtin_tools_commands import command_tools
    from rota.runners.builtin_tools_files import file_tools
    from rota.runners.builtin_tools_web import web_tools

    async with AsyncExitStack() as stack:
        found = [*file_tools(place), *command_tools(place), *web_tools(place), *_desk_tools(place, desk)]
        if mcp:
            from rota.runners.builtin_tools_mcp import mcp_tools

            found += await mcp_tools(place, mcp, stack)
        yield Tools(place, _chosen(found, wanted))


def real(workspace: str) -> Path:
    """The workspace's folder, links resolved."""
    return Path(workspace).resolve()


def cut(text: str, limit: int = LONGEST) -> str:
    """A text of at most so many characters, and how many were left out."""
    return (
        text
        if len(text) <= limit
        else f"{text[:limit]}\n[rota: {len(text) - limit:,} more characters left out]"
    )


def _chosen(tools: Sequence[Tool], wanted: Sequence[str] | None) -> list[Tool]:
    """Those that are wanted; the first of a name counts."""
    named: dict[str, Tool] = {}
    for tool in tools:
        named.setdefault(tool.name, tool)
    if wanted is None:
        return list(named.values())
    kept: dict[str, Tool] = {}
    for said in wanted:
        name = ALIASES.get(said.casefold(), said)
        found = {key: tool for key, tool in named.items() if fnmatchcase(key, name) or key == name.casefold()}
        if not found:
            raise StepError(
                f"the builtin agent has no tool {said!r}",
                code="unknown_tool",
                permanent=True,
                hint=f"`tools:` names some of: {', '.join(named)}",
            )
        kept |= found
    return list(kept.values())


def _check(tool: Tool, arguments: Mapping[str, Any]) -> None:
    from jsonschema.validators import validator_for

    schema = dict(tool.parameters)
    try:
        first = next(iter(validator_for(schema)(schema).iter_errors(dict(arguments))), None)
    except Exception:  # noqa: BLE001 # a schema of a stranger's server: it checks its arguments itself
        return
    if first is not None:
        raise StepError(f"the arguments of `{tool.name}` are not right: {first.message[:300]}")


def _desk_tools(place: Place, desk: Sequence[Mapping[str, Any]]) -> list[Tool]:
    """Rota's own tools, which are used over the line."""

    def tool_of(told: Mapping[str, Any]) -> Tool:
        name = str(told["name"])

        async def use(arguments: Mapping[str, Any]) -> Did:
            try:
                return Did(str(await place.line.ask("desk", tool=name, arguments=dict(arguments))))
            except StepError as error:
                if error.code != "denied":
                    raise
                what = json.dumps(dict(arguments), ensure_ascii=False)[:1_000]
                raise DeniedError(Denial(name, what), error.message) from None

        return Tool(name, str(told["description"]), told["parameters"], use, looks=bool(told["looks"]))

    return [tool_of(told) for told in desk]


def _shown(arguments: Mapping[str, Any], one: str | None) -> str:
    if one is not None and isinstance(arguments.get(one), str):
        return _one_line(arguments[one], _SHOWN)
    return _one_line(json.dumps(dict(arguments), ensure_ascii=False), _SHOWN)


def _one_line(text: str, limit: int) -> str:
    whole = " ".join(text.split())
    return whole if len(whole) <= limit else f"{whole[: limit - 1]}…"
