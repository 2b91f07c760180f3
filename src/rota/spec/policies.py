"""Policies of jobs and steps: retry, catch-up, concurrency, parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rota.model import failures
from rota.model.errors import ScheduleError
from rota.model.failures import ANY
from rota.model.job import CatchUp, CatchUpMode, Concurrency, Param, ProcessLimits, Retry, Window
from rota.schedule import read_span
from rota.spec import values
from rota.spec.report import Fields, Place
from rota.spec.words import did_you_mean, shown

RETRY_KEYS = ("attempts", "backoff", "first", "max", "on", "not_on")
BACKOFFS = ("exponential", "fixed")
MOST_ATTEMPTS = 100
AGAIN = Retry(attempts=3)  # what `retry: true` means
# No retry unless asked for: a command whose effects are unknown must not be repeated.
ONCE = Retry()

PARAM_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_WORDS = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
OTHERWISE = ("defer", "skip")
LIMIT_KEYS = ("memory", "processes", "open_files")
LEAST_MEMORY = 1_000_000
LEAST_FILES = 16  # with fewer no program starts
PARAM_KEYS = ("type", "default", "required", "choices", "description")
_PARAM_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def retry(value: Any, place: Place) -> Retry | None:
    """`false`, `true`, a number of attempts, or a mapping."""
    if isinstance(value, bool):
        return AGAIN if value else ONCE
    attempts = values.whole(1, MOST_ATTEMPTS)
    if isinstance(value, int):
        count = attempts(value, place)
        return None if count is None else Retry(attempts=count)
    if not isinstance(value, Mapping):
        values.expected(place, "true, false, a number of attempts or keys with values", value)
        return None
    fields = Fields(value, place)
    found = Retry(
        attempts=fields.read("attempts", attempts, AGAIN.attempts),
        backoff=fields.read("backoff", values.choice(BACKOFFS), AGAIN.backoff),
        first=fields.read("first", values.duration_or_none, AGAIN.first),
        max=fields.read("max", values.duration_or_none, AGAIN.max),
        on=fields.read("on", _failures, ()),
        not_on=fields.read("not_on", _failures, ()),
    )
    _check_words(found, place)
    fields.refuse_rest(RETRY_KEYS)
    if found.max < found.first:
        if "max" in value:
            (place / "max").error(
                "`max` is shorter than `first`", "`max` is the longest wait between two attempts"
            )
        else:
            return replace(found, max=found.first)
    return replace(found, on=() if ANY in found.on else found.on)


def _failures(value: Any, place: Place) -> tuple[str, ...] | None:
    """Exit codes, HTTP statuses and words: one, or a list of them."""
    items = value if isinstance(value, list) else [value]
    found = [_failure(item, place / i if items is value else place) for i, item in enumerate(items)]
    if not items:
        values.expected(place, "what is tried again, such as `timeout` or an exit code", value)
    return tuple(word for word in found if word is not None)


def _failure(value: Any, place: Place) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        number = values.whole(0, failures.HIGHEST_NUMBER)(value, place)
        return None if number is None else str(number)
    word = values.text(value, place)
    if word is None:
        return None
    word = word.strip().lower()
    if word in failures.PERMANENT:
        place.warn(f"`{word}` is never tried again: another try cannot mend it")
    elif not failures.is_known(word):
        near = did_you_mean(word, [*failures.WORDS, ANY])
        place.warn(f"rota knows no failure `{word}`; {near or 'see `Retry` in docs/job-file.md'}")
    return word


def _check_words(found: Retry, place: Place) -> None:
    if ANY in found.not_on:
        (place / "not_on").error("`any` leaves nothing to try again", "write `retry: false`")
    for word in sorted({*found.on} & {*found.not_on} - {ANY}):
        (place / "not_on").error(f"`{word}` is in `on` too", "take it out of one of them")


def limits(value: Any, place: Place) -> ProcessLimits | None:
    """What a command may take: `memory:`, `processes:`, `open_files:`."""
    data = values.mapping(value, place)
    if data is None:
        return None
    fields = Fields(data, place)
    found = ProcessLimits(
        memory=fields.maybe("memory", _memory),
        processes=fields.maybe("processes", values.whole(1, 1_000_000)),
        open_files=fields.maybe("open_files", values.whole(LEAST_FILES, 1_000_000)),
    )
    fields.refuse_rest(LIMIT_KEYS)
    return found


def _memory(value: Any, place: Place) -> int | None:
    size = values.size(value, place)
    if size is not None and size < LEAST_MEMORY:
        place.error(f"{shown(value)} is too little memory for any program", "write it with its unit: 512MB")
        return None
    return size


def catch_up(fields: Fields) -> CatchUp:
    """`catch_up:` and its sibling `within:`."""
    within = fields.maybe("within", values.duration)
    value = fields.take("catch_up")
    place = fields.place / "catch_up"
    mode = CatchUpMode.LATEST
    read_mode = values.one_of(CatchUpMode)
    if isinstance(value, Mapping):
        inner = Fields(value, place)
        mode = inner.read("mode", read_mode, mode)
        own = inner.maybe("within", values.duration)
        within = within if own is None else own
        inner.refuse_rest(("mode", "within"))
    elif value is False:
        mode = CatchUpMode.NONE
    elif value is not None and value is not True:
        mode = read_mode(value, place) or mode
    return CatchUp(mode, within)


def window(value: Any, place: Place) -> Window | None:
    """`window:` and `not_during:`: a span, a list of them, or `{times: ..., otherwise: defer | skip}`."""
    if not isinstance(value, Mapping):
        return _spans(value, place, skip=False)
    inner = Fields(value, place)
    times = inner.take("times")
    skip = inner.read("otherwise", values.choice(OTHERWISE), "defer") == "skip"
    inner.refuse_rest(("times", "otherwise"))
    if times is None:
        place.error("`times` is missing", "such as `times: 09:00-17:00`")
        return None
    return _spans(times, place / "times", skip=skip)


def _spans(value: Any, place: Place, *, skip: bool) -> Window | None:
    found = values.texts(value, place)
    if not found:
        return None
    for text in found:
        try:
            read_span(text)
        except ScheduleError as error:
            place.error(error.message, error.hint)
            return None
    return Window(found, skip)


def concurrency(fields: Fields) -> tuple[Concurrency | None, int | None]:
    """The group of `concurrency:`, and `max_active:` (beside it or in it)."""
    count = values.whole(1)
    most = fields.maybe("max_active", count)
    value = fields.take("concurrency")
    place = fields.place / "concurrency"
    if value is None:
        return None, most
    if isinstance(value, str):
        group = values.text(value, place)
        return (Concurrency(group) if group else None), most
    if not isinstance(value, Mapping):
        values.expected(place, "the name of a group, or `group` and `limit`", value)
        return None, most
    inner = Fields(value, place)
    group = inner.maybe("group", values.text)
    limit = inner.read("limit", count, 1)
    most = most if most is not None else inner.maybe("max_active", count)
    inner.refuse_rest(("group", "limit", "max_active"))
    if group is None and "group" not in value and (most is None or "limit" in value):
        place.error("`group` is missing", "jobs that name the same group share its limit")
    return (Concurrency(group, limit) if group else None), most


def params(value: Any, place: Place) -> tuple[Param, ...] | None:
    """Typed inputs: a mapping of names to types (or more about them), or a list."""
    if isinstance(value, Mapping):
        found = [_param(name, about, place / name) for name, about in value.items()]
    elif isinstance(value, list):
        found = [_listed_param(item, place / index) for index, item in enumerate(value)]
    else:
        values.expected(place, "names with types, such as `days: integer`", value)
        return None
    known = [param for param in found if param is not None]
    names = [param.name for param in known]
    for name in {name for name in names if names.count(name) > 1}:
        place.error(f"two parameters are named `{name}`")
    return tuple(known)


def _listed_param(item: Any, place: Place) -> Param | None:
    if isinstance(item, str):
        return _param(item, None, place)
    if not isinstance(item, Mapping):
        values.expected(place, "a parameter's name, or `name` and `type`", item)
        return None
    about = dict(item)
    name = about.pop("name", None)
    if not isinstance(name, str):
        place.error("`name` is missing" if name is None else f"expected text as `name`, got {shown(name)}")
        return None
    return _param(name, about, place)


def _param(name: str, about: Any, place: Place) -> Param | None:
    if not _PARAM_NAME.fullmatch(name):
        place.error(
            f"`{name}` is no name of a parameter",
            "use letters, digits and _: templates say {{ params.name }}",
        )
        return None
    if about is None or isinstance(about, str):
        kind = values.choice(PARAM_TYPES)(about, place) if about is not None else "string"
        return None if kind is None else Param(name, kind)
    if not isinstance(about, Mapping):
        values.expected(
            place, "a type or keys with values", about, f"a default is written `{{default: {shown(about)}}}`"
        )
        return None
    fields = Fields(about, place)
    default = fields.take("default")
    options = fields.take("choices")
    if options is not None and not isinstance(options, list):
        values.expected(place / "choices", "a list", options)
        options = None
    kind = fields.maybe("type", values.choice(PARAM_TYPES)) or _type_of(default)
    param = Param(
        name=name,
        type=kind,
        default=default,
        required=fields.read("required", values.boolean, default=False),
        choices=tuple(options or ()),
        description=fields.read("description", values.any_text, ""),
    )
    fields.refuse_rest((*PARAM_KEYS, "name"))
    _check_values(param, place)
    return param


def _type_of(default: Any) -> str:
    """The type of a parameter that names none: its default's."""
    return next((kind for kind in PARAM_TYPES if _fits(default, kind)), "string")


def _fits(value: Any, kind: str) -> bool:
    return isinstance(value, PARAM_TYPES[kind]) and isinstance(value, bool) == (kind == "boolean")


def _check_values(param: Param, place: Place) -> None:
    for index, option in enumerate(param.choices):
        if not _fits(option, param.type):
            values.expected(place / "choices" / index, _WORDS[param.type], option)
    if param.default is None:
        return
    if not _fits(param.default, param.type):
        values.expected(place / "default", _WORDS[param.type], param.default)
    elif param.choices and param.default not in param.choices:
        (place / "default").error(f"{shown(param.default)} is not among the choices")
