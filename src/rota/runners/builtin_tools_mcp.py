"""The builtin agent's MCP servers: programs and addresses, their tools as `mcp__SERVER__TOOL`. In hosts only."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from pydantic_ai.exceptions import ModelRetry, ToolFailed
from pydantic_ai.mcp import MCPToolset

from rota.model.errors import StepError
from rota.runners.builtin_tools import Did, Place, Tool

_START, _CALL = 30.0, 120.0
_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64


async def mcp_tools(
    place: Place, servers: Mapping[str, Mapping[str, Any]], stack: AsyncExitStack
) -> list[Tool]:
    """The tools of all servers, which are ended with the stack.

    Raises StepError for a server that does not answer, unless it says `optional: true`.
    """
    tools: list[Tool] = []
    for name, server in servers.items():
        try:
            async with asyncio.timeout(_START + 5.0):
                toolset = await stack.enter_async_context(_toolset(place, server))
                listed = await toolset.list_tools()
        except Exception as error:  # noqa: BLE001 # whatever a stranger's server does when it starts
            words = f"the MCP server {name!r} does not answer: {_words(error)}"
            if not server.get("optional"):
                raise StepError(
                    words, code="mcp_failed", hint="look at `mcp:`; `optional: true` goes on without it"
                ) from None
            await place.line.say(f"{words}; it is optional")
            continue
        await place.line.say(f"mcp {name}: {len(listed)} tools")
        tools += [_tool(name, toolset, told) for told in listed]
    return tools


def _toolset(place: Place, server: Mapping[str, Any]) -> MCPToolset[None]:
    common: dict[str, Any] = {"init_timeout": _START, "read_timeout": _CALL, "tool_error_behavior": "failed"}
    if server.get("url"):
        return MCPToolset(str(server["url"]), headers=dict(server.get("headers") or {}), **common)
    from fastmcp.client.transports import StdioTransport

    env = {**place.env, **(server.get("env") or {})}
    transport = StdioTransport(
        str(server["command"]),
        list(server.get("args") or []),
        env=env,
        cwd=str(place.workspace),
        keep_alive=False,
    )
    return MCPToolset(transport, **common)


def _tool(server: str, toolset: MCPToolset[None], told: Any) -> Tool:
    async def use(given: Mapping[str, Any]) -> Did:
        try:
            found = await toolset.direct_call_tool(told.name, dict(given))
        except (ModelRetry, ToolFailed) as error:
            raise StepError(error.message) from None
        except Exception as error:  # noqa: BLE001 # a server that dies is not the end of the conversation
            raise StepError(f"the MCP server {server!r} failed: {_words(error)}") from None
        return Did(found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, default=str))

    hints = told.annotations
    return Tool(
        _NAME.sub("_", f"mcp__{server}__{told.name}")[:_LONGEST_NAME],
        told.description or "",
        _schema(told),
        use,
        looks=bool(
            hints is not None and getattr(hints, "read_only_hint", getattr(hints, "readOnlyHint", None))
        ),
    )


def _schema(told: Any) -> Mapping[str, Any]:
    """mcp 2 calls it `input_schema`, mcp 1 `inputSchema`."""
    found: Mapping[str, Any] = getattr(told, "input_schema", None) or getattr(told, "inputSchema", None) or {}
    return found


def _words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return f"silent for {_START:g} seconds"
    return " ".join(str(error).split())[:300] or type(error).__name__
