"""`${NAME}` in texts: a secret or an environment variable, read at the moment of use.

A text that also holds template values is rendered first, with `fill_later`, so that a `${NAME}`
which came from outside is not filled in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rota.model.errors import TemplateError

REFERENCE = re.compile(r"(?P<escape>\$?)\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


def secret_names(text: str) -> set[str]:
    """The names that `fill_secrets` would ask for."""
    return {match["name"] for match in REFERENCE.finditer(text) if not match["escape"]}


def fill_secrets(text: str, lookup: Callable[[str], str | None]) -> str:
    """The text with every `${NAME}` replaced by what `lookup` gives; `$${NAME}` becomes `${NAME}`.

    What is filled in is not read again. Raises TemplateError for a name that `lookup` does not have.
    """

    def fill(match: re.Match[str]) -> str:
        if match["escape"]:
            return match[0][1:]
        value = lookup(match["name"])
        if value is None:
            raise TemplateError(
                f"`{match[0]}`: there is no secret and no environment variable of that name",
                hint=f"set it with `rota secret set {match['name']}`, or as an environment variable",
                code="missing_secret",
            )
        return value

    return REFERENCE.sub(fill, text)


def fill_secrets_in(value: Any, lookup: Callable[[str], str | None]) -> Any:
    """`fill_secrets` on every string in dicts, lists and tuples; keys stay as they are."""
    if isinstance(value, str):
        return fill_secrets(value, lookup)
    if isinstance(value, dict):
        return {key: fill_secrets_in(item, lookup) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill_secrets_in(item, lookup) for item in value]
    return value


def escape_foreign(pieces: list[tuple[str, bool]]) -> str:
    """Join (text, from outside) pieces so that `fill_secrets` fills only what the author wrote.

    A reference that touches a foreign piece, also one that a value and the author's text make up
    together, is escaped: `fill_secrets` gives it back as it was.
    """
    text = "".join(piece for piece, _ in pieces)
    if "${" not in text:
        return text
    foreign: list[tuple[int, int]] = []
    end = 0
    for piece, outside in pieces:
        start, end = end, end + len(piece)
        if outside and piece:
            foreign.append((start, end))
    result: list[str] = []
    done = span = 0
    for match in REFERENCE.finditer(text):
        while span < len(foreign) and foreign[span][1] <= match.start():
            span += 1
        if span < len(foreign) and foreign[span][0] < match.end():
            result += (text[done : match.start()], "$", match[0])
            done = match.end()
    return "".join(result) + text[done:]
