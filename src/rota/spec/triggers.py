"""Why a job starts: `schedule:` and `on:`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from rota.model.errors import RotaError
from rota.model.ids import SLUG, slug
from rota.model.job import Trigger
from rota.model.run import RETRY
from rota.schedule import parse
from rota.spec import looks, values
from rota.spec.catalog import Setting
from rota.spec.report import Fields, Place
from rota.spec.webhooks import DEFAULT, named, read_webhook
from rota.spec.words import did_you_mean, guess, listing

AFTER = ("succeeded", "failed", "finished")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_ANCHORED = frozenset({"every", "rrule"})


@dataclass(frozen=True)
class _Draft:
    """A trigger without its final id."""

    kind: str
    place: Place
    text: str = ""
    anchor: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None


def read_triggers(fields: Fields, setting: Setting) -> tuple[Trigger, ...]:
    """The triggers of a job, in the order of the file; none: it starts by hand alone."""
    drafts: list[_Draft] = []
    for key in ("schedule", "on"):
        value = fields.take(key)
        place = fields.place / key
        items = value if isinstance(value, list) else [] if value is None else [value]
        for index, item in enumerate(items):
            drafts += _item(item, place / index if items is value else place, setting)
    return _with_ids(drafts)


def _item(item: Any, place: Place, setting: Setting) -> list[_Draft]:
    if isinstance(item, str):
        return _timed(item, place, setting)
    if not isinstance(item, Mapping):
        values.expected(place, 'a schedule such as "0 8 * * 1-5", or `every: 4h`', item)
        return []
    present = [kind for kind in READERS if kind in item]
    if "poll" in present:
        present = [kind for kind in present if kind not in {"every", "cron"}]  # how often it looks
    if len(present) != 1:
        _say_kind(item, present, place)
        return []
    kind = present[0]
    fields = Fields(item, place)
    name = fields.maybe("id", _trigger_id)
    anchor = fields.maybe("anchor", _anchor) if kind in _ANCHORED else None
    value = fields.take(kind)
    found = READERS[kind](_Item(value, place / kind, fields, anchor, setting))
    if kind not in _OWN_REST:
        fields.refuse_rest((*READERS, "id", "anchor", "when"))
    return [_named(draft, name, number) for number, draft in enumerate(found, 1)]


def _say_kind(item: Mapping[str, Any], present: list[str], place: Place) -> None:
    if present:
        place.error(f"one trigger with {listing(present, 'and')}", "give each an item (`- `) of its own")
        return
    near = next((hint for key in item if (hint := did_you_mean(key, READERS))), None)
    place.error("a trigger that says no kind", near or guess("", READERS))


def _named(draft: _Draft, name: str | None, number: int) -> _Draft:
    if name is None:
        return draft
    own = name if number == 1 else f"{name}-{number}"
    return _Draft(draft.kind, draft.place, draft.text, draft.anchor, draft.options, own)


def _with_ids(drafts: list[_Draft]) -> tuple[Trigger, ...]:
    """Ids: the item's own, else its kind, with a number from the second on."""
    taken: set[str] = set()
    for draft in drafts:
        if draft.id is not None and draft.id in taken:
            draft.place.error(f"two triggers have the id `{draft.id}`", "give each its own")
        taken |= {draft.id} if draft.id is not None else set()
    found: list[Trigger] = []
    for draft in drafts:
        name = draft.id or draft.kind
        number = 1
        while draft.id is None and name in taken:
            number += 1
            name = f"{draft.kind}-{number}"
        taken.add(name)
        found.append(
            Trigger(name, draft.kind, draft.text, draft.anchor, draft.options, line=draft.place.line)
        )
    return tuple(found)


@dataclass(frozen=True)
class _Item:
    """One item of `on:`: the value of its kind's key, the other keys, its anchor."""

    value: Any
    place: Place
    fields: Fields
    anchor: str | None
    setting: Setting


def _timed(
    text: str, place: Place, setting: Setting, anchor: str | None = None, kind: str | None = None
) -> list[_Draft]:
    """A schedule in one text. `kind`: what it has to be."""
    try:
        moment = None if anchor is None else datetime.fromisoformat(anchor)
        schedule = parse(text, setting.timezone, moment)
    except RotaError as error:
        place.wrong(error)
        return []
    if kind is not None and schedule.kind != kind:
        where = "schedule:" if schedule.kind in {"manual", "reboot"} else f"{schedule.kind}:"
        place.error(f"`{text}` is no {kind} expression", f"write it after `{where}`")
        return []
    for warning in schedule.warnings:
        place.warn(warning)
    return [_Draft(schedule.kind, place, schedule.text, anchor)]


def _cron(item: _Item) -> list[_Draft]:
    if isinstance(item.value, str):
        return _timed(item.value, item.place, item.setting, kind="cron")
    values.expected(item.place, 'a cron text such as "0 8 * * 1-5"', item.value)
    return []


def _every(item: _Item) -> list[_Draft]:
    if isinstance(item.value, str | int | float) and not isinstance(item.value, bool):
        text = re.sub(r"(?i)^every\b\s*", "", str(item.value))
        return _timed(f"every {text}", item.place, item.setting, item.anchor, "every")
    values.expected(item.place, "a duration such as 4h", item.value)
    return []


def _at(item: _Item) -> list[_Draft]:
    moments = item.value if isinstance(item.value, list) else [item.value]
    found: list[_Draft] = []
    for index, moment in enumerate(moments):
        place = item.place / index if moments is item.value else item.place
        if isinstance(moment, str):
            text = re.sub(r"(?i)^at\b\s*", "", moment)
            found += _timed(f"at {text}", place, item.setting, kind="at")
        else:
            values.expected(place, "a date and time such as 2026-12-01T09:00", moment)
    return found


def _rrule(item: _Item) -> list[_Draft]:
    if not isinstance(item.value, str):
        values.expected(item.place, "a calendar rule such as FREQ=MONTHLY;BYDAY=1MO", item.value)
        return []
    is_bare = re.match(r"(?i)rrule:|dtstart[;:=]", item.value.strip()) is None
    text = f"rrule:{item.value.strip()}" if is_bare else item.value
    return _timed(text, item.place, item.setting, item.anchor, "rrule")


def _flag(kind: str, text: str) -> Callable[[_Item], list[_Draft]]:
    """A reader of a kind that has no value of its own: `- manual:` or `manual: true`."""

    def read(item: _Item) -> list[_Draft]:
        if item.value is None or item.value is True:
            return [_Draft(kind, item.place, text)]
        values.expected(item.place, "true", item.value)
        return []

    return read


def _job(item: _Item) -> list[_Draft]:
    when = item.fields.read("when", values.choice(AFTER), AFTER[0])
    other = values.text(item.value, item.place)
    if other is None:
        return []
    if not SLUG.fullmatch(other):
        item.place.error(
            f"`{other}` is no id of a job", f"did you mean `{slug(other)}`?" if slug(other) else None
        )
        return []
    return [_Draft("job", item.place, other, options={"when": when})]


def _webhook(item: _Item) -> list[_Draft]:
    found = read_webhook(item.value, item.place, item.fields)
    return [] if found is None else [_Draft("webhook", item.place, found[0], options=found[1])]


def _files(item: _Item) -> list[_Draft]:
    found = looks.read_files(item.value, item.place, item.fields)
    item.fields.refuse_rest(("files", "id", *looks.FILE_KEYS))
    return [] if found is None else [_Draft("files", item.place, found[0], options=found[1])]


def _poll(item: _Item) -> list[_Draft]:
    found = looks.read_poll(item.value, item.place, item.fields, item.setting)
    return [] if found is None else [_Draft("poll", item.place, found[0], options=found[1])]


READERS: Mapping[str, Callable[[_Item], list[_Draft]]] = {
    "cron": _cron,
    "every": _every,
    "at": _at,
    "rrule": _rrule,
    "reboot": _flag("reboot", "@reboot"),
    "manual": _flag("manual", "manual"),
    "job": _job,
    "webhook": _webhook,
    "files": _files,
    "poll": _poll,
}
_OWN_REST = frozenset({"files", "poll"})  # kinds whose readers look at every key themselves


def _trigger_id(value: Any, place: Place) -> str | None:
    text = values.text(value, place)
    if text == RETRY:
        place.error(f"`{RETRY}` is what rota itself calls the runs of `retry_run`", "choose another id")
        return None
    if text is None or ID.fullmatch(text):
        return text
    place.error(f"`{text}` is no id", "use letters, digits, `.`, `_` and `-`")
    return None


def _anchor(value: Any, place: Place) -> str | None:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        values.expected(place, "a date and time such as 2026-12-01T09:00", value)
        return None
    return str(value)


def with_hooks(found: tuple[Trigger, ...], where: str, place: Place, *, hook: bool) -> tuple[Trigger, ...]:
    """The triggers, webhooks with the names in their URLs: `where` unless said. Every `hook` file has one."""
    if hook and all(trigger.kind != "webhook" for trigger in found):
        found = (*found, Trigger("webhook", "webhook", options={"verify": DEFAULT}))
    return tuple(
        replace(trigger, text=named(trigger.text, where, place)) if trigger.kind == "webhook" else trigger
        for trigger in found
    )
