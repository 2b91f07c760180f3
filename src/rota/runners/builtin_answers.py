"""What the builtin agent is told beside the prompt, and whether its answer is what was asked for. In hosts only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rota.model.agent import OnDenied
from rota.model.errors import StepError

if TYPE_CHECKING:
    from rota.runners.builtin_tools import Place

_FENCED = re.compile(r"\A\s*```[A-Za-z]*[ \t]*\n(.*)\n[ \t]*```\s*\Z", re.DOTALL)
_ALONE = "You work by yourself, in the folder of a workspace. Nobody reads along, and nobody answers questions: do what is asked with the tools that you have, then give your answer. Paths are relative to that folder."
_DENIED = "What you are not allowed to do is denied at once. Do not try it in another way: go on without it, and say what is missing for want of it."
_ASKED = "What you are not allowed to do is denied, and put before a person. Then stop, and say what you have done and what you wait for."


def instructions(place: Place, system: str | None) -> str:
    """What holds for the whole conversation."""
    permissions = place.permissions
    rules = [
        _ALONE,
        _ASKED if permissions.on_denied is OnDenied.ASK else _DENIED,
        f"Commands that you may run: {_listed(permissions.run)}.",
        f"Files that you may write: {_listed(permissions.write)}.",
        f"Hosts that you may ask: {_listed(permissions.net)}.",
    ]
    if place.grants:
        granted = "; ".join(f"{one.tool} {one.what}" for one in place.grants)
        rules.append(f"A person has allowed besides: {granted}.")
    return "\n\n".join([*([system.strip()] if system else []), "\n".join(rules)])


def _listed(patterns: tuple[str, ...]) -> str:
    return ", ".join(f"`{pattern}`" for pattern in patterns) or "none"


def with_schema(prompt: str, schema: Mapping[str, Any] | None) -> str:
    """The prompt, and what the answer has to look like."""
    if schema is None:
        return prompt
    text = json.dumps(schema, ensure_ascii=False, indent=2)
    return (
        f"{prompt.rstrip()}\n\n## The answer\n\nAnswer with JSON alone, which has to fit this JSON Schema:"
        f"\n\n```json\n{text}\n```\n"
    )


def once_more(fault: str) -> str:
    """What is said to an agent whose answer does not fit."""
    return f"{fault[0].upper()}{fault[1:]}. Give the whole answer again: JSON that fits the schema, and nothing else."


def fault_of(text: str, schema: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The value of an answer, and what is wrong with it. Raises StepError for a schema that is none."""
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    fenced = _FENCED.match(text)
    try:
        value = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError) as error:
        return None, f"the answer is no JSON ({error})" if text else "the answer is empty"
    kind = validator_for(dict(schema))
    try:
        kind.check_schema(dict(schema))
    except SchemaError as error:
        raise StepError(
            f"`schema:` is no JSON Schema: {error.message}", code="bad_schema", permanent=True
        ) from None
    first = next(
        iter(sorted(kind(dict(schema)).iter_errors(value), key=lambda one: list(map(str, one.path)))), None
    )
    if first is None:
        return value, None
    where = f"`{first.json_path}`" if first.path else "the answer"
    return None, f"{where} does not fit the schema: {first.message[:300]}"
