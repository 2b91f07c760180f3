"""What one of rota's own tools for agents is: modules `app/desk_NOUN.py` have them as `TOOLS`, the desk gathers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from rota.model.agent import Actor
from rota.ports.agents import DeskTool

if TYPE_CHECKING:
    from rota.app.wiring import App

LOOK = "look"


@dataclass(frozen=True)
class Tool(DeskTool):
    """A tool and how it is used. `use` blocks: it opens files and waits for the store, so call it in a thread.

    It takes the arguments as `parameters` describes them, checked or not, and returns what the agent reads. It raises
    RotaError in words for the agent.
    """

    use: Callable[[App, Mapping[str, Any], Actor], str]

    def described(self) -> DeskTool:
        """What the agent is told of it."""
        return DeskTool(self.name, self.description, self.parameters, self.looks)


Use = Callable[["App", Mapping[str, Any], Actor], str]


def looks(name: str, description: str, parameters: Mapping[str, Any], use: Use) -> Tool:
    """A tool that changes nothing."""
    return Tool(name, description, parameters, looks=True, use=use)


def acts(name: str, description: str, parameters: Mapping[str, Any], use: Use) -> Tool:
    """A tool that changes something, or tells somebody."""
    return Tool(name, description, parameters, looks=False, use=use)


def may_use(tool: DeskTool, scopes: Sequence[str]) -> bool:
    """Whether one of the scopes is for the tool: a pattern of its name, or LOOK where it changes nothing."""
    return any((scope == LOOK and tool.looks) or fnmatchcase(tool.name, scope) for scope in scopes)
