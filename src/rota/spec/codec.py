"""Jobs as JSON, for the state. The same job gives the same text, so that its digest names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from rota.model.agent import Caps
from rota.model.budget import Budget, OnOver
from rota.model.job import (
    CatchUp,
    CatchUpMode,
    Concurrency,
    Evidence,
    Job,
    Notify,
    OnError,
    OnInterrupt,
    Overlap,
    Param,
    ProcessLimits,
    Retry,
    Step,
    Trigger,
    Window,
)

# The line of a step (or of evidence) is where it stands, not what it is: a comment above it makes no other job.
_LEFT_OUT = frozenset({"line"})
_MODELS = (
    Job,
    Step,
    Trigger,
    Notify,
    OnError,
    CatchUp,
    Retry,
    Evidence,
    ProcessLimits,
    Param,
    Concurrency,
    Window,
    Budget,
    Caps,
)


def to_json(job: Job) -> str:
    """The job as compact JSON, keys in the order of the model, defaults and the steps' lines left out."""
    return json.dumps(_plain(job), ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> Job:
    """The job of a text that `to_json` gave; keys that this version does not know are left out."""
    job: Job = _job(json.loads(text))
    return job


def digest(text: str) -> str:
    """The name of a definition: 16 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


# Name and default (MISSING: none) of each field.
_FIELDS: dict[type[Any], tuple[tuple[str, Any], ...]] = {
    model: tuple((field.name, _default(field)) for field in fields(model) if field.name not in _LEFT_OUT)
    for model in _MODELS
}


def _plain(value: Any) -> Any:
    if isinstance(value, _MODELS):
        pairs = ((name, getattr(value, name), default) for name, default in _FIELDS[type(value)])
        return {name: _plain(part) for name, part, default in pairs if default is MISSING or part != default}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


_Reader = Callable[[Any], Any]


def _reader(model: type[Any], **parts: _Reader) -> _Reader:
    """A reader of a model's JSON; `parts`: readers of the fields that are more than plain values."""
    known = {name for name, _ in _FIELDS[model]}

    def read(data: Any) -> Any:
        return model(
            **{
                key: parts[key](value) if key in parts else value
                for key, value in data.items()
                if key in known
            }
        )

    return read


def _each(read: _Reader) -> _Reader:
    return lambda items: tuple([read(item) for item in items])


def _or_none(read: _Reader) -> _Reader:
    return lambda value: None if value is None else read(value)


_retry = _reader(Retry, on=tuple, not_on=tuple)
_limits = _or_none(_reader(ProcessLimits))
_window = _or_none(_reader(Window, times=tuple))
_notify = _each(_reader(Notify))
_caps = _reader(Caps)
_budget = _reader(Budget, run=_caps, day=_caps, week=_caps, month=_caps, on_over=OnOver)
_policy = _reader(OnError, channels=_notify)
_step = _reader(
    Step,
    needs=_or_none(tuple),
    if_changed=_or_none(tuple),
    retry=_or_none(_retry),
    limits=_limits,
    on_interrupt=_or_none(OnInterrupt),
)
_job = _reader(
    Job,
    steps=_each(_step),
    triggers=_each(_reader(Trigger)),
    overlap=Overlap,
    catch_up=_reader(CatchUp, mode=CatchUpMode),
    window=_window,
    not_during=_window,
    retry=_retry,
    retry_run=_retry,
    success_if=_each(_reader(Evidence)),
    limits=_limits,
    budget=_budget,
    params=_each(_reader(Param, choices=tuple)),
    concurrency=_or_none(_reader(Concurrency)),
    notify=_notify,
    on_error=_policy,
    on_recovery=_policy,
)
