"""Triggers that look: the keys of `files` and `poll`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from rota.model.errors import RotaError
from rota.model.globs import read_glob, read_ignored
from rota.model.looks import ADDED, CHANGED, REMOVED
from rota.schedule import parse, parse_duration
from rota.spec import models, values
from rota.spec.catalog import Setting
from rota.spec.report import Fields, Place
from rota.spec.words import guess, is_templated, listing

FILE_EVENTS = (ADDED, CHANGED, REMOVED)
POLL_EVENTS = (ADDED, CHANGED)
FILE_KEYS = ("events", "ignore", "settle", "batch", "debounce", "initial")
POLL_KEYS = ("every", "cron", "events", "batch", "initial", "timeout")
EVERY = "15m"
LONGEST_SETTLE = 3600.0


def read_files(value: Any, place: Place, fields: Fields) -> tuple[str, dict[str, Any]] | None:
    """The first pattern and the options of a `files` trigger; None where it is wrong (then reported)."""
    before = len(place.report.errors)
    patterns = _globs(value, place)
    said: dict[str, Any] = {"patterns": list(patterns)} if len(patterns) > 1 else {}
    ignore = fields.maybe("ignore", _ignored)
    if ignore is not None:
        said["ignore"] = list(ignore)
    said["events"] = _events(fields, FILE_EVENTS, POLL_EVENTS)
    _keep(said, fields, "settle", _up_to(LONGEST_SETTLE))
    _keep(said, fields, "debounce", _up_to(LONGEST_SETTLE))
    _keep(said, fields, "batch", values.boolean)
    _keep(said, fields, "initial", values.boolean)
    if "debounce" in said:
        if said.get("batch") is False:
            (fields.place / "debounce").error("`debounce` is for `batch: true`", "take one of them out")
        said["batch"] = True
    if not patterns or len(place.report.errors) > before:
        return None
    return patterns[0], said


def read_poll(
    source: Any, place: Place, fields: Fields, setting: Setting
) -> tuple[str, dict[str, Any]] | None:
    """The source and the options of a `poll` trigger; None where it is wrong (then reported).

    `options.schedule` is what `rota.schedule.parse` reads; `options.source`: the source's own keys.
    """
    before = len(place.report.errors)
    name = values.text(source, place)
    if name is not None and name not in setting.source_names():
        place.error(f"unknown source `{name}`", guess(name, setting.source_names()))
    said: dict[str, Any] = {"schedule": _rhythm(fields, setting)}
    said["events"] = _events(fields, POLL_EVENTS, POLL_EVENTS)
    _keep(said, fields, "batch", values.boolean)
    _keep(said, fields, "initial", values.boolean)
    _keep(said, fields, "timeout", values.duration)
    rest = dict(fields.rest)
    if name is None or len(place.report.errors) > before:
        return None
    check_source(name, rest, fields.place, setting, known=POLL_KEYS)
    if rest:
        said["source"] = rest
    return name, said


def check_source(
    name: str, keys: Mapping[str, Any], place: Place, setting: Setting, *, known: Collection[str]
) -> None:
    """Report what is wrong with a source's keys, to which rota.yaml may add. `known`: keys that are not the source's."""
    kind = setting.sources.get(name, name)
    source = setting.catalog.sources.get(kind) if kind is not None else None
    if source is not None:
        models.check(source, keys, place, known=known, complete=False)


def _rhythm(fields: Fields, setting: Setting) -> str:
    """How often a source is asked, as a schedule's text."""
    every, cron = fields.take("every"), fields.take("cron")
    if every is not None and cron is not None:
        (fields.place / "cron").error("`every` and `cron` both say how often it looks", "keep one of them")
        return ""
    place = fields.place / ("every" if cron is None else "cron")
    text = EVERY if every is None else str(every)
    try:
        if cron is None:
            parse_duration(text)
            return f"every {text.removeprefix('every ')}"
        found = parse(str(cron), setting.timezone)
    except RotaError as error:
        place.wrong(error)
        return ""
    if found.kind != "cron":
        place.error(f"`{cron}` is no cron expression", "write a duration after `every:`")
    return found.text


def read_if_changed(value: Any, place: Place) -> tuple[str, ...] | None:
    """What a step depends on: patterns of files and templates; empty: its own keys. None: nothing was asked for."""
    if isinstance(value, bool):
        return () if value else None
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        values.expected(place, 'a pattern such as "data/*.csv", a template, or true', value)

    def read(text: str) -> None:
        if not is_templated(text):
            read_glob(text)

    return tuple(_read(items, value, place, read))


def _globs(value: Any, place: Place) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        values.expected(place, 'a pattern such as "inbox/**/*.md"', value)
    return tuple(_read(items, value, place, read_glob))


def _ignored(value: Any, place: Place) -> tuple[str, ...] | None:
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(_read(items, value, place, read_ignored))


def _read(items: Collection[Any], value: Any, place: Place, read: Callable[[str], object]) -> list[str]:
    """The patterns among `items` that can be read; the others are reported."""
    found: list[str] = []
    for index, item in enumerate(items):
        at = place / index if items is value else place
        text = values.text(item, at)
        if text is None:
            continue
        try:
            read(text)
        except RotaError as error:
            at.wrong(error)
            continue
        found.append(text)
    return found


def _events(fields: Fields, known: tuple[str, ...], default: tuple[str, ...]) -> list[str]:
    place = fields.place / "events"
    said = fields.maybe("events", values.texts)
    if said is None:
        return list(default)
    for word in said:
        if word not in known:
            place.error(f"unknown event `{word}`", guess(word, known))
    if not said:
        place.error("no event: this would never start anything", f"such as {listing(default, 'and')}")
    return [word for word in known if word in said]


def _keep(said: dict[str, Any], fields: Fields, key: str, reader: Callable[[Any, Place], Any]) -> None:
    found = fields.maybe(key, reader)
    if found is not None:
        said[key] = found


def _up_to(most: float) -> Callable[[Any, Place], float | None]:
    def read(value: Any, place: Place) -> float | None:
        seconds = values.duration_or_none(value, place)
        if seconds is not None and seconds > most:
            place.error(f"no longer than {most:g} s")
            return None
        return seconds

    return read
