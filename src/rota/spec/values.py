"""Readers of single values: each gives what it understood, or reports and gives None."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from rota.model.errors import RotaError
from rota.schedule import parse_duration, zone
from rota.spec.report import Place
from rota.spec.words import did_you_mean, listing, shown

E = TypeVar("E", bound=StrEnum)

ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)(i?)b?", re.IGNORECASE)
_NONE = timedelta(0)
_TICK = timedelta(milliseconds=1)


def expected(place: Place, what: str, value: Any, hint: str | None = None) -> None:
    """Report a value of the wrong type."""
    place.error(f"expected {what}, got {shown(value)}", hint)


def text(value: Any, place: Place) -> str | None:
    """A text that is not empty."""
    if isinstance(value, str) and value.strip():
        return value
    is_scalar = isinstance(value, int | float)
    expected(place, "text", value, f'quote it: "{value}"' if is_scalar else None)
    return None


def any_text(value: Any, place: Place) -> str | None:
    """A text; numbers, true and false as they are written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    expected(place, "text", value)
    return None


def boolean(value: Any, place: Place) -> bool | None:
    """True or false."""
    if isinstance(value, bool):
        return value
    said = {"yes": True, "on": True, "no": False, "off": False}.get(str(value).lower())
    hint = None if said is None else f"YAML 1.2 reads `{value}` as text: write {str(said).lower()}"
    expected(place, "true or false", value, hint)
    return None


def whole(minimum: int, maximum: int = 1_000_000_000) -> Callable[[Any, Place], int | None]:
    """A reader of whole numbers in a range."""

    def read(value: Any, place: Place) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int):
            expected(place, "a whole number", value)
        elif not minimum <= value <= maximum:
            place.error(f"expected a whole number from {minimum} to {maximum}, got {value}")
        else:
            return value
        return None

    return read


def duration(value: Any, place: Place) -> float | None:
    """Seconds of a length of time such as 5m; at least a millisecond."""
    return _seconds(value, place, _TICK)


def duration_or_none(value: Any, place: Place) -> float | None:
    """Seconds of a length of time that may be 0s."""
    return 0.0 if value == 0 and not isinstance(value, bool) else _seconds(value, place, _NONE)


def _seconds(value: Any, place: Place, minimum: timedelta) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        expected(place, "a duration such as 5m", value)
        return None
    try:
        return parse_duration(str(value), minimum=minimum).total_seconds()
    except RotaError as error:
        place.wrong(error)
        return None


def size(value: Any, place: Place) -> int | None:
    """Bytes of a size such as 10MB (or 10MiB); a plain number is bytes."""
    found = _SIZE.fullmatch(str(value).strip())
    if found is None or isinstance(value, bool):
        expected(place, "a size such as 10MB", value)
        return None
    number, prefix, binary = found.groups()
    power = " kmg".index(prefix.lower() or " ")
    return int(float(number) * (1024.0 if binary else 1000.0) ** power)


def timezone(value: Any, place: Place) -> str | None:
    """The name of a zone that exists."""
    if not isinstance(value, str):
        expected(place, "a time zone such as Europe/London", value)
        return None
    try:
        return zone(value).key
    except RotaError as error:
        place.wrong(error)
        return None


def one_of(kind: type[E]) -> Callable[[Any, Place], E | None]:
    """A reader of an enumeration's words."""

    def read(value: Any, place: Place) -> E | None:
        word = choice([member.value for member in kind])(value, place)
        return None if word is None else kind(word)

    return read


def choice(words: Collection[str]) -> Callable[[Any, Place], str | None]:
    """A reader of one of a few words."""

    def read(value: Any, place: Place) -> str | None:
        if isinstance(value, str) and value in words:
            return value
        expected(place, listing(words), value, did_you_mean(value, words) if isinstance(value, str) else None)
        return None

    return read


def mapping(value: Any, place: Place) -> Mapping[str, Any] | None:
    """Keys with values."""
    if isinstance(value, Mapping):
        return value
    expected(place, "keys with values", value)
    return None


def texts(value: Any, place: Place) -> tuple[str, ...] | None:
    """One text or a list of them."""
    items = value if isinstance(value, list | tuple) else [value]
    found = [text(item, place / i if items is value else place) for i, item in enumerate(items)]
    return tuple(item for item in found if item is not None)


def env(value: Any, place: Place) -> dict[str, str] | None:
    """Environment variables: numbers, true and false become text, as a shell would have them."""
    if not isinstance(value, Mapping):
        expected(place, "names with values", value, "write them as `NAME: value`")
        return None
    found: dict[str, str] = {}
    for name, content in value.items():
        if not ENV_NAME.fullmatch(name):
            (place / name).error(
                "no name of an environment variable", "use letters, digits and _, and no digit first"
            )
        said = "" if content is None else any_text(content, place / name)
        if said is not None:
            found[name] = said
    return found


def condition(value: Any, place: Place) -> str | None:
    """An expression; a plain true or false is one too."""
    if isinstance(value, bool):
        return str(value).lower()
    return text(value, place)
