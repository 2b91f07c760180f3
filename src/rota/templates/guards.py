"""Bounds on what a template may make: sizes are predicted before the work is done, not after."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rota.model.errors import TemplateError
from rota.templates.values import text_of

MAX_SIZE = 5_000_000  # characters of a rendered text, or of one string on the way
MAX_ITEMS = 100_000  # items of one list
MAX_ROUNDS = 250_000  # turns of all loops of one rendering together, and items of its ranges
_MAX_BITS = 8_192  # of a whole number
_MAX_WIDTH = 200  # of padding and indentation
# A width of four digits or more, or one that is itself an argument.
_WIDE = {"%": re.compile(r"%[^A-Za-z%]*?(?:\d{4}|\*)"), "{": re.compile(r"\{[^{}]*(?:\d{4}|\{)")}

STR_METHODS = frozenset((
    "capitalize", "casefold", "center", "count", "endswith", "find", "format", "index", "isalnum", "isalpha",
    "isdigit", "islower", "isnumeric", "isspace", "isupper", "join", "ljust", "lower", "lstrip", "partition",
    "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip",
    "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper", "zfill",
))  # fmt: skip
MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})
LIST_METHODS = frozenset({"count", "index"})


def refuse_over(size: int, limit: int, what: str) -> None:
    """Raise TemplateError when `size` is over `limit`."""
    if size > limit:
        raise TemplateError(f"{what} is too large", hint=f"the limit is {limit:,}")


def multiply(left: Any, right: Any) -> Any:
    """`left * right`, bounded."""
    for sequence, times in ((left, right), (right, left)):
        if isinstance(sequence, (str, list, tuple)) and isinstance(times, int):
            limit = MAX_SIZE if isinstance(sequence, str) else MAX_ITEMS
            refuse_over(len(sequence) * times, limit, "the repetition")
    if isinstance(left, int) and isinstance(right, int):
        refuse_over(left.bit_length() + right.bit_length(), _MAX_BITS, "the number (in bits)")
    return left * right


def add(left: Any, right: Any) -> Any:
    """`left + right`, bounded."""
    if isinstance(left, str) and isinstance(right, str):
        refuse_over(len(left) + len(right), MAX_SIZE, "the text")
    elif isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        refuse_over(len(left) + len(right), MAX_ITEMS, "the list")
    return left + right


def power(left: Any, right: Any) -> Any:
    """`left ** right`, bounded."""
    if isinstance(left, int) and isinstance(right, int):
        refuse_over(max(left.bit_length(), 1) * abs(right), _MAX_BITS, "the number (in bits)")
    return left**right


def modulo(left: Any, right: Any) -> Any:
    """`left % right`: the remainder, or a text's `%` formatting, bounded."""
    if isinstance(left, str):
        check_format(left, "%", right)
    return left % right


def check_format(pattern: str, sign: str, arguments: Any) -> None:
    """Refuse a format that would make a small text huge; `sign` begins each of its fields."""
    if _WIDE[sign].search(pattern):
        raise TemplateError(
            "the format has a width that is too large", hint="a width is a number of up to three digits"
        )
    refuse_over(len(pattern) + pattern.count(sign) * len(text_of(arguments)), MAX_SIZE, "the formatted text")


def joined(parts: list[str], glue: str = "") -> str:
    """`glue.join(parts)`, bounded."""
    refuse_over(sum(map(len, parts)) + len(glue) * len(parts), MAX_SIZE, "the joined text")
    return glue.join(parts)


def replaced(text: str, old: str, new: str, count: int = -1) -> str:
    """`text.replace(old, new, count)`, bounded."""
    refuse_over(len(text) + text.count(old) * len(new), MAX_SIZE, "the text after `replace`")
    return text.replace(old, new, count)


def check_width(width: Any) -> None:
    """Refuse to pad or indent by more than a screen's width or two."""
    refuse_over(len(width) if isinstance(width, str) else int(width), _MAX_WIDTH, "the width")


def checked_call(call: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a call, once it is clear that no method of a text would make a huge one of them."""
    method = getattr(call, "__wrapped__", call)  # the sandbox wraps str.format
    owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    if name == "strftime" and arguments:
        check_format(str(arguments[0]), "%", "")
    if not isinstance(owner, str) or not arguments:
        return arguments
    if name == "format":
        check_format(owner, "{", list(arguments))
    elif name in ("center", "ljust", "rjust", "zfill"):
        check_width(arguments[0])
    elif name == "join":
        parts = list(arguments[0])  # it may be a generator, which can be read only once
        refuse_over(sum(len(str(part)) + len(owner) for part in parts), MAX_SIZE, "the joined text")
        return (parts,)
    elif name == "replace" and len(arguments) > 1:
        replaced(owner, arguments[0], arguments[1])
    return arguments
