"""What templates see and give: the view of the steps, and values as text or as plain JSON data."""

from __future__ import annotations

import json
import re
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from datetime import date, datetime, time
from typing import Any

from rota.model.errors import TemplateError

_OWN = ("output", "state", "values")


class StepView(Mapping[str, Any]):
    """One step: `output` (text), `state`, `values` (names that it put out), and those names themselves.

    Made from a mapping with these keys, or from an object with these attributes. A value that is
    named like one of the three is found in `values` only.
    """

    def __init__(self, step: Any) -> None:
        parts = step if isinstance(step, Mapping) else {name: getattr(step, name, None) for name in _OWN}
        self._values: Mapping[str, Any] = parts.get("values") or {}
        self._own = {
            "output": parts.get("output") or "",
            "state": str(parts.get("state") or ""),
            "values": self._values,
        }

    def __getitem__(self, key: str) -> Any:
        return self._own[key] if key in self._own else self._values[key]

    def __iter__(self) -> Iterator[str]:
        yield from _OWN
        yield from (name for name in self._values if name not in self._own)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class StepsView(Mapping[str, Any]):
    """The steps of a run by id; `steps.weekly_planning` finds the id `weekly-planning` too."""

    def __init__(self, steps: Mapping[str, Any]) -> None:
        self._steps = {
            name: step if isinstance(step, StepView) else StepView(step) for name, step in steps.items()
        }
        self._spoken = {spoken(name): name for name in self._steps}

    def __getitem__(self, key: str) -> StepView:
        return self._steps[key if key in self._steps else self._spoken[key]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)


def spoken(step_id: str) -> str:
    """An id as a template can name it after a dot: `weekly-planning` -> `weekly_planning`."""
    return re.sub(r"[^A-Za-z0-9_]", "_", step_id)


def plain(value: Any) -> Any:
    """A result as plain data: dict, list, str, int, float, bool, None, and dates and times as they are.

    Raises TemplateError for what is not data (a method that was not called), and Jinja's
    UndefinedError for a name that is not there, however deep.
    """
    if value is None or isinstance(value, (bool, int, float, datetime, date, time)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range, Iterator, KeysView, ItemsView, ValuesView)):
        return [plain(item) for item in value]
    text = str(value)  # raises for an undefined name, which would count as callable below
    if callable(value):
        name = getattr(value, "__name__", "it")
        raise TemplateError(
            f"`{name}` is a method here, not a value",
            hint=f"call it, `{name}()`, or check that there is data of that name",
        )
    return text


def text_of(value: Any) -> str:
    """A value as text: None is empty, booleans are `true` and `false`, dicts and lists compact JSON, times ISO 8601."""
    data = plain(value)
    if data is None:
        return ""
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, (dict, list)):
        return json_of(data)
    if isinstance(data, (datetime, date, time)):
        return data.isoformat()
    return str(data)


def json_of(value: Any, indent: int | None = None) -> str:
    """A value as JSON: compact unless `indent` is given; times are ISO 8601."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        plain(value),
        ensure_ascii=False,
        separators=separators,
        indent=indent,
        default=lambda when: when.isoformat(),
    )
