"""The MCP server without a transport: what it says of its tools, and what it makes of errors."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from mcp.client import Client
from mcp_types import TextContent

from rota.mcp.server import make_server, require_library
from rota.model.agent import Actor
from rota.model.errors import RotaError
from rota.ports.agents import DeskTool


class Desk:
    """A desk with three tools, which knows who used it."""

    def __init__(self) -> None:
        self.used_by: list[Actor] = []

    def tools(self) -> Sequence[DeskTool]:
        schema = {"type": "object", "properties": {}}
        return [
            DeskTool(name, f"It does {name}.", schema, looks=name == "see")
            for name in ("see", "fail", "break")
        ]

    async def use(self, tool: str, arguments: Mapping[str, Any], actor: Actor) -> str:
        self.used_by.append(actor)
        if tool == "fail":
            raise RotaError("it is not there", hint="look elsewhere")
        if tool == "break":
            raise ZeroDivisionError("the inside of rota")
        return f"seen {dict(arguments)}"


def ask(desk: Desk, tool: str, *, named: bool = True, scopes: Sequence[str] = ("*",)) -> tuple[str, bool]:
    """What a client gets."""

    async def act() -> tuple[str, bool]:
        server = make_server(desk, Actor("claude", run="r-1"), scopes, named=named)
        async with Client(server, mode="legacy") as client:
            result = await client.call_tool(tool, {})
            (content,) = result.content
            assert isinstance(content, TextContent)
            return content.text, bool(result.is_error)

    return asyncio.run(act())


def test_an_answer_and_who_asked() -> None:
    desk = Desk()
    assert ask(desk, "see") == ("seen {}", False)
    assert desk.used_by == [Actor("claude", run="r-1")]


def test_an_agent_that_nobody_named_is_called_what_its_client_calls_itself() -> None:
    desk = Desk()
    ask(desk, "see", named=False)
    (actor,) = desk.used_by
    assert actor.name not in {"", "claude"}
    assert actor.run == "r-1"


def test_an_error_is_told_with_its_hint_and_a_defect_without_its_inside() -> None:
    assert ask(Desk(), "fail") == ("it is not there\nhint: look elsewhere", True)
    said, failed = ask(Desk(), "break")
    assert failed
    assert "the inside" not in said


def test_a_scope_bounds_what_may_be_used() -> None:
    desk = Desk()
    said, failed = ask(desk, "fail", scopes=["look"])
    assert failed
    assert "not among the tools" in said
    assert desk.used_by == []


def test_without_the_library_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(RotaError) as missing:
        require_library()
    assert missing.value.hint == "pip install 'rota[mcp]'"
