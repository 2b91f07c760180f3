"""JSON Schema of the kinds' own keys, from their models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rota.spec.models import is_open

if TYPE_CHECKING:
    from pydantic import BaseModel

Schema = dict[str, Any]
TEMPLATE: Schema = {"$ref": "#/$defs/template"}
# A value that is only known when it is used.
TEMPLATE_DEF: Schema = {
    "type": "string",
    "pattern": r"\{\{|\{%|\$\{",
    "description": "A template `{{ … }}`, or `${NAME}` for a secret or environment variable.",
}
_MAPS = ("properties",)
_PARTS = ("items", "additionalProperties", "propertyNames")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")


def properties(model: type[BaseModel], prefix: str, defs: Schema) -> Schema:
    """The schemas of a model's keys; what they refer to is added to `defs` under `prefix`."""
    schema = model.model_json_schema(by_alias=True, ref_template=f"#/$defs/{prefix}-{{model}}")
    for name, part in schema.get("$defs", {}).items():
        defs[f"{prefix}-{name}"] = _lenient(part)
    found = {key: _or_template(_lenient(part)) for key, part in schema.get("properties", {}).items()}
    for key in _read_before(model):
        if key in found:
            found[key] = _or_items(found[key])
    return found


def required(model: type[BaseModel]) -> list[str]:
    """The keys that a model cannot do without."""
    return sorted(field.alias or name for name, field in model.model_fields.items() if field.is_required())


def closed(model: type[BaseModel]) -> Schema:
    """Whether further keys are refused, as a part of a schema."""
    return {} if is_open(model) else {"additionalProperties": False}


def _read_before(model: type[BaseModel]) -> set[str]:
    """Keys whose values the model rewrites before it looks at their type, such as one text for a list."""
    found: set[str] = set()
    for decorator in model.__pydantic_decorators__.field_validators.values():
        if decorator.info.mode in {"before", "plain"}:
            found |= {model.model_fields[name].alias or name for name in decorator.info.fields if name != "*"}
    return found


def _or_items(schema: Schema) -> Schema:
    """A list, or one of its items alone."""
    for part in [schema, *schema.get("anyOf", [])]:
        if part.get("type") == "array" and isinstance(part.get("items"), Mapping):
            about: Schema = {key: schema[key] for key in ("description", "title") if key in schema}
            return {"anyOf": [{k: v for k, v in schema.items() if k not in about}, part["items"]], **about}
    return schema


def _lenient(schema: Any) -> Any:
    """The same schema, in which every value inside may be a template."""
    if not isinstance(schema, Mapping):
        return schema
    found: Schema = {key: part for key, part in schema.items() if key != "title"}
    for key in _MAPS:
        if key in found:
            found[key] = {name: _or_template(_lenient(part)) for name, part in found[key].items()}
    for key in _PARTS:
        if isinstance(found.get(key), Mapping):
            found[key] = _or_template(_lenient(found[key]))
    for key in _LISTS:
        if key in found:
            found[key] = [_lenient(part) for part in found[key]]
    return found


def _or_template(schema: Schema) -> Schema:
    """The schema, or a template where it would refuse one."""
    about = {key: part for key, part in schema.items() if key in {"description", "default", "examples"}}
    rest = {key: part for key, part in schema.items() if key not in about}
    if not rest or rest == {"type": "string"} or TEMPLATE in rest.get("anyOf", ()):
        return schema
    return {"anyOf": [*rest["anyOf"], TEMPLATE] if set(rest) == {"anyOf"} else [rest, TEMPLATE], **about}
