"""The filters of templates: Jinja's harmless ones, those of its own that are bounded here, and a few more."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from typing import Any

from jinja2 import Environment, pass_environment
from jinja2.filters import FILTERS, do_indent, do_round, make_attrgetter

from rota.model.errors import TemplateError
from rota.model.ids import slug
from rota.templates.guards import check_format, check_width, joined, modulo, replaced
from rota.templates.values import json_of, text_of

# What is missing makes markup (safe, urlize, xmlattr), huge results (center, batch), chance, or gets
# at attributes past the rule that a mapping's keys come first (attr).
_KEPT = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "filesizeformat", "first", "float", "groupby",
    "int", "items", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse",
    "select", "selectattr", "sort", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip


def as_time(value: Any) -> datetime | date | time:
    """A date, time or ISO 8601 text as a time."""
    if isinstance(value, (datetime, date, time)):
        return value
    text = text_of(value)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise TemplateError(
            f"`{text[:40]}` is not a date",
            hint="give a time such as `now`, or ISO 8601 text: 2026-11-21T08:00:00Z",
        ) from None


def format_time(value: Any, pattern: str = "%Y-%m-%d") -> str:
    """A time by a strftime pattern."""
    check_format(pattern, "%", "")
    return as_time(value).strftime(pattern)


def lines(value: Any) -> list[str]:
    """The lines of a text, without their ends; a last empty one is not counted."""
    text = text_of(value).replace("\r\n", "\n").removesuffix("\n")
    return text.split("\n") if text else []


def basename(value: Any) -> str:
    """The last part of a path: `a/b.txt` -> `b.txt`."""
    return text_of(value).rstrip("/").rsplit("/", 1)[-1]


def tojson(value: Any, indent: int | None = None) -> str:
    """JSON as it is, without HTML escapes."""
    if indent is not None:
        check_width(indent)
    return json_of(value, indent)


def escape(value: Any) -> str:
    """HTML-escaped text. It is plain text: nothing in a template is ever marked as safe."""
    return html.escape(text_of(value))


def replace(value: Any, old: str, new: str, count: int | None = None) -> str:
    """Text with `old` replaced by `new`."""
    return replaced(text_of(value), str(old), text_of(new), -1 if count is None else count)


@pass_environment
def join(
    environment: Environment, value: Iterable[Any], d: str = "", attribute: str | int | None = None
) -> str:
    """The items as text with `d` between them; `attribute` of each, if given."""
    items = value if attribute is None else map(make_attrgetter(environment, attribute), value)
    return joined([text_of(item) for item in items], str(d))


def formatted(value: Any, *arguments: Any, **named: Any) -> str:
    """`"%s and %s" | format(a, b)`."""
    return str(modulo(text_of(value), named or arguments))


def indent(value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    """Text with its lines indented (not the first, unless asked for)."""
    check_width(width)
    return do_indent(text_of(value), width, first, blank)


def rounded(value: float, precision: int = 0, method: Any = "common") -> float:
    """A number rounded: `common`, `ceil` or `floor`."""
    check_width(precision)
    return do_round(value, precision, method)


@pass_environment
def total(
    environment: Environment, value: Iterable[Any], attribute: str | int | None = None, start: float = 0
) -> Any:
    """The sum of numbers; of `attribute` of each, if given."""
    numbers = value if attribute is None else map(make_attrgetter(environment, attribute), value)
    return sum(numbers, start + 0)  # `+ 0`: only a number can be the start


def all_filters() -> dict[str, Callable[..., Any]]:
    """Every filter by name."""
    own: dict[str, Callable[..., Any]] = {
        "basename": basename,
        "date": format_time,
        "e": escape,
        "escape": escape,
        "format": formatted,
        "indent": indent,
        "join": join,
        "lines": lines,
        "replace": replace,
        "round": rounded,
        "safe": text_of,
        "slug": lambda value: slug(text_of(value)),
        "strftime": format_time,
        "string": text_of,
        "sum": total,
        "tojson": tojson,
    }
    kept: dict[str, Callable[..., Any]] = {name: FILTERS[name] for name in _KEPT}
    return kept | own
