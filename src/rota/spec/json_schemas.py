"""JSON Schemas of others: whether one is valid, and whether a value meets it. Nothing is fetched for a `$ref`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.protocols import Validator
    from referencing import Registry

_LONGEST = 200


def problem_of(schema: Any) -> tuple[tuple[str | int, ...], str] | None:
    """What makes a schema invalid: where in it, and in words; None when it is valid."""
    from jsonschema.exceptions import SchemaError

    if not isinstance(schema, dict):
        return (), "a JSON Schema is an object"
    try:
        _class_for(schema).check_schema(schema)
    except SchemaError as error:
        return tuple(error.path), _cut(error.message)
    loose = _loose_reference(schema)
    return None if loose is None else ((), f"its `$ref` {loose!r} leads nowhere")


def violation_of(schema: Any, value: Any) -> str | None:
    """What keeps a value from meeting a valid schema, in one line; None when it does."""
    from jsonschema.exceptions import best_match

    error = best_match(_class_for(schema)(schema, registry=_registry()).iter_errors(value))
    if error is None:
        return None
    where = error.json_path.removeprefix("$").removeprefix(".")
    return _cut(f"`{where}`: {error.message}" if where else error.message)


def _class_for(schema: Any) -> type[Validator]:
    from jsonschema.validators import Draft202012Validator, validator_for

    found: type[Validator] = validator_for(schema, default=Draft202012Validator)
    return found


def _registry() -> Registry[Any]:
    """What a `$ref` may lead to beside the schema itself: nothing, and there is no way to fetch any."""
    from referencing.jsonschema import EMPTY_REGISTRY

    return EMPTY_REGISTRY


def _loose_reference(schema: Mapping[str, Any]) -> str | None:
    """A reference that cannot be followed within the schema."""
    from referencing import Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    root = Resource.from_contents(schema, default_specification=DRAFT202012)
    todo = [(root, _registry().resolver_with_root(root))]
    while todo:
        resource, resolver = todo.pop()
        contents = resource.contents
        for key in ("$ref", "$dynamicRef"):
            reference = contents.get(key) if isinstance(contents, Mapping) else None
            if isinstance(reference, str):
                try:
                    resolver.lookup(reference)
                except Unresolvable:
                    return reference
        todo += [(inner, resolver.in_subresource(inner)) for inner in resource.subresources()]
    return None


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
