"""A mapping held against a kind's model, with errors in the words of the file's author."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rota.model.errors import RotaError
from rota.spec.report import Path, Place
from rota.spec.words import did_you_mean, is_templated, listing, shown

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "keys with values",
    "mapping": "keys with values",
    "model": "keys with values",
    "date": "a date such as 2026-11-23",
    "datetime": "a date and time such as 2026-11-23T09:00",
    "time": "a time such as 09:00",
    "url": "a URL",
    "none": "nothing",
}
_WRONG_TYPE = ("_type", "_parsing", "_from_float", "_from_date_parsing", "_attributes_type")


@lru_cache(maxsize=256)
def keys_of(model: type[BaseModel]) -> frozenset[str]:
    """The keys that a mapping of that model may have."""
    by_name = model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name")
    found: set[str] = set()
    for name, field in model.model_fields.items():
        aliases = {alias for alias in (field.alias, field.validation_alias) if isinstance(alias, str)}
        found |= aliases
        if not aliases or (by_name and not name.endswith("_")):
            found.add(name)
    return frozenset(found)


def is_open(model: type[BaseModel]) -> bool:
    """Whether the model takes keys that it does not name."""
    return model.model_config.get("extra") == "allow"


def check(
    model: type[BaseModel],
    data: Mapping[str, Any],
    place: Place,
    *,
    known: Collection[str] = (),
    complete: bool = True,
    secret: bool = False,
) -> None:
    """Report what is wrong with `data`. Values that are only known at run time pass.

    `known`: further keys, for guesses at a misspelt one. `complete` False: other settings add to these
    keys, so missing ones and what the model says about the whole are no errors here. `secret`: no value
    is shown.
    """
    from pydantic import ValidationError

    names = keys_of(model)
    if not is_open(model):
        for key in data:
            if key not in names:
                (place / key).error(
                    "unknown key", did_you_mean(key, {*names, *known} - {key}) or _takes(names)
                )
        data = {key: value for key, value in data.items() if key in names}
    try:
        model.model_validate(dict(data))
    except ValidationError as error:
        _report(error.errors(include_url=False), data, place, complete=complete, secret=secret)
    except RotaError as error:
        place.wrong(error)
    except Exception as error:  # noqa: BLE001 # a stranger's model: it spoils its own job alone
        place.error(f"its keys could not be checked: {type(error).__name__}: {error}")


def _takes(names: Collection[str]) -> str | None:
    return f"it takes {listing((f'`{name}`' for name in sorted(names)), 'and')}" if names else None


def _report(
    errors: list[ErrorDetails], data: Mapping[str, Any], place: Place, *, complete: bool, secret: bool
) -> None:
    """One error a value: a union gives one of each of its members."""
    by_path: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        path = _real_path(error["loc"], data)
        by_path.setdefault(path, []).append(error)
    for path, found in by_path.items():
        value = _at(data, path)
        if is_templated(value) or (not complete and (not path or found[0]["type"] == "missing")):
            continue
        # A member of a union that got further into the value is the one that was meant.
        if any(other != path and other[: len(path)] == path for other in by_path):
            continue
        where = place
        for part in path:
            where = where / part
        _say(found, "" if secret else f", got {shown(value)}", value, where)


def _real_path(loc: tuple[int | str, ...], data: Any) -> Path:
    """The part of a location that is in the data; the rest names members of unions."""
    path: list[int | str] = []
    part: Any
    for part in loc:
        inside = range(len(data)) if isinstance(data, list) else data if isinstance(data, Mapping) else ()
        if part in inside:
            path.append(part)
            data = data[part]
    return tuple(path)


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _say(errors: list[ErrorDetails], got: str, value: Any, place: Place) -> None:
    for key in _named(errors, "missing"):
        place.error(f"`{key}` is missing")
    for key in _named(errors, "extra_forbidden"):
        place.error("unknown key" if place.path[-1:] == (key,) else f"unknown key `{key}`")
    rest = [error for error in errors if error["type"] not in {"missing", "extra_forbidden"}]
    odd = next((error for error in rest if _wanted(error) is None), None)
    if odd is not None:
        limit = odd["msg"].startswith("Input should")
        place.error(_message(odd) + (got if limit else ""), _hint(odd))
    elif rest:
        wanted = dict.fromkeys(str(_wanted(error)) for error in rest)
        hint = did_you_mean(value, _words(rest)) if isinstance(value, str) else None
        if got and isinstance(value, int | float) and "text" in wanted:
            hint = f'quote it: "{str(value).lower()}"'
        place.error(f"expected {listing(wanted)}{got}", hint)


def _named(errors: list[ErrorDetails], kind: str) -> list[str]:
    return list(dict.fromkeys(str(error["loc"][-1]) for error in errors if error["type"] == kind))


def _wanted(error: ErrorDetails) -> str | None:
    kind = error["type"]
    if kind in {"literal_error", "enum"}:
        return str(error.get("ctx", {}).get("expected", "")).replace("'", "")
    if kind.endswith(_WRONG_TYPE):
        return _EXPECTED.get(kind.split("_")[0])
    return None


def _words(errors: list[ErrorDetails]) -> list[str]:
    """The words that a literal allows."""
    said = [
        str(e.get("ctx", {}).get("expected", "")) for e in errors if e["type"] in {"literal_error", "enum"}
    ]
    return [word.strip(" '") for text in said for word in text.replace(" or ", ", ").split(",")]


def _message(error: ErrorDetails) -> str:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, RotaError):
        return cause.message
    text = str(cause) if cause is not None else error["msg"].replace("Input should", "should")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _hint(error: ErrorDetails) -> str | None:
    cause = error.get("ctx", {}).get("error")
    return cause.hint if isinstance(cause, RotaError) else None
