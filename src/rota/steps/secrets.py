"""Secrets in the keys of a step: only those that the job file names, never ones that a value names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from rota.ports.steps import StepContext
from rota.templates import fill_secrets, fill_secrets_in, render, render_value


def fill_text(raw: str, ctx: StepContext, lookup: Callable[[str], str | None] | None = None) -> str:
    """Render a text and fill in the secrets that the text itself names; a `${NAME}` in a value stays text.

    Raises TemplateError for a name that `lookup` (by default: every secret and environment variable)
    does not have.
    """
    return fill_secrets(render(raw, ctx.values, fill_later=True), lookup or ctx.services.secrets.get)


def shown_text(raw: str, ctx: StepContext) -> str:
    """The same for people: with `${NAME}` where a secret would be."""
    return fill_text(raw, ctx, lambda name: f"${{{name}}}")


def fill_values(raw: Any, ctx: StepContext) -> Any:
    """`fill_text` on every string of a JSON-like value; one that is a single `{{ }}` keeps its type. JSON-able."""
    filled = fill_secrets_in(render_value(raw, ctx.values, fill_later=True), ctx.services.secrets.get)
    return json.loads(json.dumps(filled, default=lambda moment: moment.isoformat()))


def stored_secrets_in(texts: Iterable[str], ctx: StepContext) -> dict[str, str]:
    """The stored secrets that command texts mention as `${NAME}` or `$NAME`, for the child's environment.

    A name that the job or the step sets in `env:` is left to it.
    """
    mentioned = set(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", "\n".join(texts)))
    if not mentioned:
        return {}
    return {
        name: value
        for name, value in ctx.services.secrets.known().items()
        if name in mentioned and name not in ctx.step.env and name not in ctx.job.env
    }
