"""What a run has to show before it counts as succeeded: `success_if:`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rota.model.job import EVIDENCE_STEP, EVIDENCE_TIMEOUT, Evidence, Step
from rota.spec import values
from rota.spec.report import Fields, Place
from rota.spec.words import guess, listing
from rota.templates import problems, shell_problems, warn_nested

# The keys that say what is looked at, each with those that may stand beside it.
KINDS: Mapping[str, tuple[str, ...]] = {
    "file": ("min_size", "contains"),
    "command": ("timeout",),
    "output": ("step",),
    "schema": ("step",),
}

SCHEMA_HINT = "see https://json-schema.org/understanding-json-schema"


def read(value: Any, place: Place, steps: Sequence[Step], known: Collection[str]) -> tuple[Evidence, ...]:
    """One thing or a list of them; a text is a file. `steps`: those of the job; `known`: what its templates see."""
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    if not items:
        values.expected(place, "a file, keys with values, or a list of them", value)
    names = {step.id for step in steps}
    if EVIDENCE_STEP in names:
        place.error(
            f"a step has the id `{EVIDENCE_STEP}`, as which this check stands in the logs", "rename it"
        )
    places = [place / index for index in range(len(items))] if items is value else [place]
    found = [_item(item, at, names, known) for item, at in zip(items, places, strict=True)]
    return tuple(item for item in found if item is not None)


def _item(item: Any, place: Place, names: set[str], known: Collection[str]) -> Evidence | None:
    if isinstance(item, str) and item.strip():
        _check_template(item, place, names, known)
        return Evidence("file", item, line=place.line)
    if not isinstance(item, Mapping):
        values.expected(place, "a file, or keys with values", item, "such as `file: now/plan.md`")
        return None
    present = [kind for kind in KINDS if item.get(kind) is not None]
    if len(present) != 1:
        what = listing(f"`{kind}`" for kind in present or KINDS)
        place.error(
            f"{listing((f'`{kind}`' for kind in present), 'and')} in one item"
            if present
            else f"{what} is missing",
            "make it two items of the list" if present else "such as `file: now/plan.md`",
        )
        return None
    kind = present[0]
    fields = Fields(item, place)
    main = fields.take(kind)
    found = Evidence(
        kind,
        text="" if kind == "schema" and isinstance(main, Mapping) else values.text(main, place / kind) or "",
        step=fields.maybe("step", values.text) if "step" in KINDS[kind] else None,
        min_size=fields.read("min_size", values.size, 1) if kind == "file" else 1,
        contains=fields.maybe("contains", _pattern) if kind == "file" else None,
        timeout=fields.read("timeout", values.duration, EVIDENCE_TIMEOUT)
        if kind == "command"
        else EVIDENCE_TIMEOUT,
        schema=_schema(main, place / kind) if kind == "schema" and isinstance(main, Mapping) else {},
        line=place.line,
    )
    fields.refuse_rest((kind, *KINDS[kind]))
    _check(found, place, names, known)
    return found


def _check(found: Evidence, place: Place, names: set[str], known: Collection[str]) -> None:
    if found.kind == "output" and found.text:
        _pattern(found.text, place / "output")
    elif found.kind in {"file", "command"}:
        _check_template(found.text, place / found.kind, names, known)
    if found.kind == "command":
        for line in shell_problems(found.text):
            (place / "command").error(line)
        for line in warn_nested(found.text):
            (place / "command").warn(line)
    if found.step is not None and found.step not in names:
        (place / "step").error(f"there is no step `{found.step}`", guess(found.step, names))


def _check_template(text: str, place: Place, names: set[str], known: Collection[str]) -> None:
    for line in problems(text, known, names):
        place.error(line)


def _pattern(value: Any, place: Place) -> str | None:
    text = values.text(value, place)
    if text is None:
        return None
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        place.error(
            f"no regular expression: {error}", "to match text as it is, write \\ before . * + ? ( ) [ ]"
        )
        return None
    return text


def _schema(schema: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
    from rota.spec.json_schemas import problem_of

    problem = problem_of(schema)
    if problem is not None:
        path, words = problem
        for part in path:
            place = place / part
        place.error(f"no valid JSON Schema: {words}", SCHEMA_HINT)
    return schema
