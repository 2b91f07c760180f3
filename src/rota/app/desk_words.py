"""What the desk's tools share: how their arguments are described and read, and how they say things to agents."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from rota.app.times import zoned
from rota.model.errors import RotaError
from rota.model.instants import Micros
from rota.model.proposal import Proposal, ProposalState

Schema = Mapping[str, Any]
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list, tuple),
}
WHY = {"type": "string", "description": "Why, in a sentence: the person who decides reads it."}
JOB = {"type": "string", "description": "The job's id, as job_list has it."}
RUN = {"type": "string", "description": "The run's id, or a job's id for its latest run."}


def text(description: str, **more: Any) -> dict[str, Any]:
    """A text argument."""
    return {"type": "string", "description": description, **more}


def count(description: str, default: int, most: int) -> dict[str, Any]:
    """A whole number from 1 on."""
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default, "description": description}


def takes(*required: str, **arguments: Schema) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments."""
    return {
        "type": "object",
        "properties": dict(arguments),
        "required": list(required),
        "additionalProperties": False,
    }


def checked(tool: str, parameters: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the tool's schema wants them, defaults filled in. Raises RotaError in words for an agent."""
    known: Mapping[str, Any] = parameters.get("properties", {})
    listed = ", ".join(f"`{name}`" for name in known) or "nothing"
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean `{close[0]}`?" if close else f"it takes {listed}"
            raise RotaError(f"{tool} has no argument `{name}`", hint=hint, code="bad_argument")
    found = {name: value for name, value in given.items() if value is not None}
    for name in parameters.get("required", ()):
        if name not in found:
            raise RotaError(
                f"{tool} needs the argument `{name}`", hint=f"it takes {listed}", code="bad_argument"
            )
    for name, schema in known.items():
        if name in found:
            _check(tool, name, schema, found[name])
        elif "default" in schema:
            found[name] = schema["default"]
    return found


def _check(tool: str, name: str, schema: Mapping[str, Any], value: Any) -> None:
    kind = schema.get("type")
    right = _TYPES.get(str(kind), (object,))
    wrong = not isinstance(value, right) or (
        isinstance(value, bool) and bool not in right and kind is not None
    )
    if not wrong and isinstance(value, int) and not isinstance(value, bool):
        wrong = not schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if wrong or ("enum" in schema and value not in schema["enum"]):
        wanted = " or ".join(map(repr, schema["enum"])) if "enum" in schema else f"{kind}"
        if "maximum" in schema:
            wanted += f" from {schema.get('minimum')} to {schema['maximum']}"
        raise RotaError(
            f"{tool}: `{name}` has to be {wanted}, not {value!r:.100}",
            hint=str(schema.get("description", "see the tool's description")),
            code="bad_argument",
        )


def say(value: Any) -> str:
    """JSON as an agent reads it: what is empty is left out, one line an item of a list."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(_line(item) for item in value) + "\n]" if value else "[]"
    return json.dumps(_lean(value), ensure_ascii=False, default=str, indent=1)


def _line(value: Any) -> str:
    return json.dumps(_lean(value), ensure_ascii=False, default=str)


def _lean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lean(item) for key, item in value.items() if item not in (None, "", [], {}, ())}
    return [_lean(item) for item in value] if isinstance(value, list | tuple) else value


def at(instant: Micros | None, zone: str) -> str | None:
    """An instant as ISO 8601 with offset."""
    return None if instant is None else zoned(instant, zone).isoformat(timespec="seconds")


def outcome(proposal: Proposal) -> str:
    """What became of a wish, in words for the agent."""
    if proposal.state is ProposalState.APPLIED:
        return f"Done: {proposal.title}. {proposal.result} (recorded as {proposal.id})".replace(" .", ".")
    note = proposal.detail.get("note")
    why = f" ({note})" if note else ""
    return (
        f"Proposed as {proposal.id}: {proposal.title}{why}. Nothing has changed yet; a person decides. "
        f"Do not wait for it and do not ask again: go on with your work; proposal_show {proposal.id} says what was decided."
    )
