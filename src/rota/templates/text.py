"""Templates as text and as native values, and conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rota.model.errors import TemplateError
from rota.templates.secrets import escape_foreign
from rota.templates.values import plain, text_of

_FALSE = frozenset({"", "false", "0", "no", "none"})


class _TextSink:
    """Collects pieces of text, each with whether it is a value."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, bool]] = []

    def data(self, text: str) -> None:
        self.pieces.append((text, False))

    def value(self, index: int, value: Any) -> int:  # noqa: ARG002  (the sink's signature)
        text = text_of(value)
        self.pieces.append((text, True))
        return len(text)

    def text(self, *, fill_later: bool) -> str:
        return escape_foreign(self.pieces) if fill_later else "".join(piece for piece, _ in self.pieces)


class _ValueSink:
    """Keeps the one value as it is."""

    result: Any = None

    def data(self, text: str) -> None:
        """Not called: there is nothing but the value."""

    def value(self, index: int, value: Any) -> int:  # noqa: ARG002  (the sink's signature)
        self.result = plain(value)
        return 0


def render(text: str, values: Mapping[str, Any], *, fill_later: bool = False) -> str:
    """A template as text. `fill_later`: `fill_secrets` will read the result, so that a `${NAME}` in a value is escaped.

    None is empty, booleans are `true` and `false`, dicts and lists compact JSON, times ISO 8601.
    Raises TemplateError that quotes the expression at fault.
    """
    if not _is_template(text):
        return text
    from rota.templates.program import compile_text, run

    sink = _TextSink()
    run(compile_text(text), values, sink)
    return sink.text(fill_later=fill_later)


def render_value(value: Any, values: Mapping[str, Any], *, fill_later: bool = False) -> Any:
    """Every string in dicts, lists and tuples rendered; keys stay. One that is exactly one `{{ }}` keeps its type.

    `fill_later` as in `render`. What was rendered is not read as a template again.
    """
    if isinstance(value, Mapping):
        return {key: render_value(item, values, fill_later=fill_later) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [render_value(item, values, fill_later=fill_later) for item in value]
    if not isinstance(value, str) or not _is_template(value):
        return value
    from rota.templates.program import Hole, compile_text

    flow = compile_text(value).flow
    if len(flow) == 1 and isinstance(flow[0], Hole):
        result = _native(value, values, expression=False)
        return _escape_in(result) if fill_later else result
    return render(value, values, fill_later=fill_later)


def evaluate(expression: str, values: Mapping[str, Any]) -> Any:
    """The value of a condition: `new > 0` or `{{ new > 0 }}`; a mixed template gives its text. `truth` judges it.

    Raises TemplateError that quotes the expression.
    """
    text = expression.strip()
    if not text:
        raise TemplateError(
            "the condition is empty", hint="write an expression such as `steps.pull.count > 0`"
        )
    if _is_template(text):
        return render_value(text, values)
    return _native(text, values, expression=True)


def truth(value: Any) -> bool:
    """Whether a condition's value counts as true: of texts, `false`, `0`, `no`, `none` and nothing do not."""
    if isinstance(value, str):
        return value.strip().lower() not in _FALSE
    return bool(value)


def _is_template(text: str) -> bool:
    """Whether Jinja would find anything in the text; most texts are spared its import."""
    return "{{" in text or "{%" in text or "{#" in text


def _native(text: str, values: Mapping[str, Any], *, expression: bool) -> Any:
    from rota.templates.program import compile_text, run

    sink = _ValueSink()
    run(compile_text(text, expression=expression), values, sink)
    return sink.result


def _escape_in(value: Any) -> Any:
    if isinstance(value, str):
        return escape_foreign([(value, True)])
    if isinstance(value, dict):
        return {key: _escape_in(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape_in(item) for item in value]
    return value
