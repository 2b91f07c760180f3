"""What one of rota's own tools for agents is: modules `app/desk_NOUN.py` have them as `TOOLS`, the desk gathers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

from rota.model.agent import Actor
from rota.model.errors import RotaError
from rota.ports.agents import DeskTool

if TYPE_CHECKING:
    from pydantic import BaseModel

    from rota.app.wiring import App

LOOK = "look"
M = TypeVar("M", bound="BaseModel")


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


def read_arguments(model: type[M], given: Mapping[str, Any]) -> M:
    """The arguments of a tool as its model has them. Raises RotaError that names each that is wrong."""
    from pydantic import ValidationError

    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'the arguments'}: {one['msg']}" for one in error.errors()[:5]
        )
        known = ", ".join(model.model_fields)
        raise RotaError(
            f"wrong arguments: {wrong}", hint=f"the arguments are: {known}", code="bad_argument"
        ) from None


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of the arguments, without the titles that say what the names say."""
    schema: dict[str, Any] = _plain(model.model_json_schema())
    return {key: value for key, value in schema.items() if key != "description"}


def _plain(part: Any) -> Any:
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        key: {name: _plain(inner) for name, inner in value.items()} if key == "properties" else _plain(value)
        for key, value in part.items()
        if key != "title" or isinstance(value, dict)
    }
