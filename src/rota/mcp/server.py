"""The MCP server over the desk: which tools there are, and what comes of using one. The library is imported with the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rota.app.desk_guide import INSTRUCTIONS
from rota.app.desk_tools import may_use
from rota.app.version import version
from rota.model.agent import Actor
from rota.model.errors import RotaError
from rota.ports.agents import Desk
from rota.ports.logger import Logger

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams

EVERYTHING = ("*",)
log = Logger("rota.mcp")


def require_library() -> None:
    """Raises RotaError where the library is not installed."""
    from importlib.util import find_spec

    if find_spec("mcp") is None:
        raise RotaError(
            "the MCP server needs the package `mcp`, which is not installed",
            hint="pip install 'rota[mcp]'",
            code="mcp_missing",
        )


def make_server(
    desk: Desk, actor: Actor, scopes: Sequence[str] = EVERYTHING, *, named: bool = True
) -> Server[Any]:
    """A server whose client is `actor`, and may use the tools that `scopes` name.

    `named` False: nobody said who the agent is, so it is called what its client calls itself.
    """
    from mcp.server.lowlevel import Server

    tools = {tool.name: tool for tool in desk.tools() if may_use(tool, scopes)}

    async def list_tools(
        _ctx: ServerRequestContext[Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        from mcp_types import ListToolsResult, Tool, ToolAnnotations

        return ListToolsResult(
            tools=[
                Tool(
                    name=tool.name,
                    description=tool.description,
                    input_schema=dict(tool.parameters),
                    annotations=ToolAnnotations(read_only_hint=tool.looks, open_world_hint=False),
                )
                for tool in tools.values()
            ]
        )

    async def call_tool(ctx: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        who = actor if named else Actor(_client(ctx) or actor.name, actor.run, actor.job, actor.step)
        try:
            if params.name not in tools and any(tool.name == params.name for tool in desk.tools()):
                raise RotaError(f"`{params.name}` is not among the tools that this key is for", code="denied")  # noqa: TRY301 # told as the others are
            return _result(await desk.use(params.name, params.arguments or {}, who))
        except RotaError as error:
            return _result(f"{error}\nhint: {error.hint}" if error.hint else str(error), failed=True)
        except Exception as error:
            log.exception("tool_failed", tool=params.name, agent=who.name)
            return _result(f"rota itself failed: {type(error).__name__}", failed=True)

    return Server(
        "rota",
        version=version(),
        title="rota",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _client(ctx: ServerRequestContext[Any]) -> str | None:
    """What the client calls itself."""
    params = ctx.session.client_params
    return None if params is None else " ".join(params.client_info.name.split())[:100]


def _result(text: str, *, failed: bool = False) -> CallToolResult:
    from mcp_types import CallToolResult, TextContent

    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=failed)
