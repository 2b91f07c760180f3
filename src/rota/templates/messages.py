"""The words of template errors: what is quoted, and which names are offered instead."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from rota.model.errors import TemplateError

LITERAL_HINT = "templates are Jinja2; text that is to stay as it is goes between {% raw %} and {% endraw %}"
TYPES_HINT = "check what the values are, for example with `{{ value | tojson }}`"
_LISTED = 15
_QUOTED = 100


def quote(source: str) -> str:
    """A piece of a template in one line, between backticks."""
    line = " ".join(source.split())
    return f"`{line if len(line) <= _QUOTED else line[: _QUOTED - 1] + '…'}`"


def offer(name: str, names: Iterable[str], label: str) -> str:
    """A hint: the name that was probably meant, then those that exist (`label`: what they are)."""
    known = sorted({str(each) for each in names})
    if not known:
        return f"{label}: none"
    close = get_close_matches(name, known, 1)
    meant = f"did you mean `{close[0]}`? " if close else ""
    more = ", …" if len(known) > _LISTED else ""
    return f"{meant}{label}: {', '.join(known[:_LISTED])}{more}"


def located(error: TemplateError, source: str) -> TemplateError:
    """The same error, with the piece of the template that it comes from."""
    return TemplateError(f"{quote(source)}: {error.message}", hint=error.hint, code=error.code)


def line_of(error: TemplateError) -> str:
    """An error and its hint as one line of lint."""
    return f"{error.message} ({error.hint})" if error.hint else error.message
