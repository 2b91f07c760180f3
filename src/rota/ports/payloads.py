"""What the body of a request says, by its content type."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from rota.model.errors import RotaError

FORM = "application/x-www-form-urlencoded"
_LOOSE = frozenset({"", FORM, "text/plain", "application/octet-stream"})
_MOST_FIELDS = 10_000
_DEEPEST = 100


class BadBodyError(RotaError):
    """A body that is not what its content type says."""

    code = "bad_body"


def payload_of(content_type: str, body: bytes) -> Any:
    """JSON, a form's fields, else the text; None where it is empty. JSON-able. Raises BadBodyError."""
    if not body.strip():
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith("json"):
        return _json(body)
    # curl, for one, says of everything that it is a form.
    if kind in _LOOSE and body.lstrip()[:1] in {b"{", b"["}:
        with suppress(BadBodyError):
            return _json(body)
    if kind == FORM:
        return _form(body)
    return body.decode("utf-8", "replace")


def _json(body: bytes) -> Any:
    try:
        found = json.loads(body, parse_constant=_refuse)
        if b"\\u" in body:  # half a character, which no file and no command could be given
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise BadBodyError(f"the body is no JSON: {type(error).__name__}") from None
    if _depth(found) > _DEEPEST:
        raise BadBodyError(f"the body is nested deeper than {_DEEPEST} levels")
    return found


def _refuse(word: str) -> None:
    raise ValueError(word)


def _depth(value: Any) -> int:
    """How deep lists and objects are nested; found level by level, since a stack would have an end."""
    level, deep = [value], 0
    while level and deep <= _DEEPEST:
        parts = [
            part.values() if isinstance(part, dict) else part
            for part in level
            if isinstance(part, dict | list)
        ]
        level = [item for part in parts for item in part]
        deep += 1
    return deep


def _form(body: bytes) -> Any:
    """The fields; one that is there several times is a list. A lone `payload=` with JSON in it (GitHub, Slack) is that."""
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise BadBodyError(f"the form has more than {_MOST_FIELDS} fields") from None
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    inner = found.get("payload")
    if len(found) == 1 and isinstance(inner, str) and inner.lstrip()[:1] == "{":
        return _json(inner.encode())
    return found
