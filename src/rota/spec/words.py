"""How values are shown and mistakes guessed at in messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

_LONGEST = 60


def shown(value: Any) -> str:
    """A value on one line, as JSON, cut when it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def listing(words: Iterable[str], last: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    items = list(words)
    return "".join(items) if len(items) < 2 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be."""
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint: the word that was probably meant; None where none comes near."""
    near = closest(word, known)
    return f"did you mean `{near}`?" if near is not None else None


def guess(word: str, known: Iterable[str]) -> str | None:
    """The same, or else what there is; None where there is nothing."""
    names = sorted(known)
    return did_you_mean(word, names) or (f"use {listing(f'`{name}`' for name in names)}" if names else None)


def dotted(path: Iterable[str | int]) -> str:
    """A path as `steps.0.timeout`."""
    return ".".join(str(part) for part in path)


def is_templated(value: Any) -> bool:
    """Whether a value is only known when it is used: a template or a `${NAME}`."""
    return isinstance(value, str) and ("{{" in value or "${" in value or "{%" in value)
