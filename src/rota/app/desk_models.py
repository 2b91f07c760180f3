"""Arguments of the desk's tools, described and checked by pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from rota.model.errors import RotaError

if TYPE_CHECKING:
    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")


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
