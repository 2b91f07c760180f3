"""Who hears of what: `notify:`, `on_error:`, `on_recovery:`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rota.model.job import Notify, OnError, Retry
from rota.spec import models, policies, values
from rota.spec.catalog import Setting
from rota.spec.report import Fields, Place
from rota.spec.words import guess

COMMON_KEYS = ("type", "message", "title", "condition", "when")
WHEN = ("succeeded", "failed", "finished", "waiting")
ON_ERROR_KEYS = ("notify", "message", "retry")
ON_RECOVERY_KEYS = ("notify", "message")


def read_notify(value: Any, place: Place, setting: Setting, when: str = "succeeded") -> tuple[Notify, ...]:
    """A channel, a mapping, or a list of those; false is none. `when`: of those that do not say."""
    if value is None or value is False:
        return ()
    items = value if isinstance(value, list) else [value]
    places = [place / index for index in range(len(items))] if items is value else [place]
    found = [_one(item, at, setting, when) for item, at in zip(items, places, strict=True)]
    return tuple(notify for notify in found if notify is not None)


def _one(item: Any, place: Place, setting: Setting, when: str) -> Notify | None:
    if isinstance(item, str):
        item = {"type": item}
    if not isinstance(item, Mapping):
        values.expected(place, "the name of a channel, or `type` and `message`", item)
        return None
    fields = Fields(item, place)
    if "type" not in fields:
        place.error("`type` is missing", guess("", setting.channel_names()))
        return None
    channel = fields.maybe("type", values.text)
    found = Notify(
        type=channel or "",
        message=fields.maybe("message", values.any_text),
        title=fields.maybe("title", values.any_text),
        condition=fields.maybe("condition", values.condition),
        when=fields.read("when", values.choice(WHEN), when),
        config=fields.rest,
    )
    if channel is None:
        return None
    if channel not in setting.channel_names():
        (place / "type").error(f"unknown channel `{channel}`", guess(channel, setting.channel_names()))
        return None
    _check_config(found, place, setting)
    return found


def _check_config(notify: Notify, place: Place, setting: Setting) -> None:
    """The channel's own keys. Those of a channel of rota.yaml come on top of what is said there."""
    named = notify.type in setting.channels
    kind = setting.channels[notify.type] if named else notify.type
    model = setting.catalog.channels.get(kind) if kind is not None else None
    if model is not None:
        models.check(model, notify.config, place, known=COMMON_KEYS, complete=not named, secret=True)


def read_on_error(value: Any, place: Place, setting: Setting) -> tuple[OnError, Retry | None]:
    """`on_error:`; its `retry:` means the job's."""
    policy, fields = _policy(value, place, setting, "failed", OnError())
    if fields is None:
        return policy, None
    retry = fields.maybe("retry", policies.retry)
    fields.refuse_rest(ON_ERROR_KEYS)
    return policy, retry


def read_on_recovery(value: Any, place: Place, setting: Setting) -> OnError:
    """`on_recovery:`; nobody is told unless it says so."""
    policy, fields = _policy(value, place, setting, "succeeded", OnError(notify=False))
    if fields is not None:
        fields.refuse_rest(ON_RECOVERY_KEYS)
    return policy


def _policy(
    value: Any, place: Place, setting: Setting, when: str, default: OnError
) -> tuple[OnError, Fields | None]:
    if value is None:
        return default, None
    if isinstance(value, bool):
        return OnError(notify=value), None
    if isinstance(value, str | list):
        return OnError(channels=read_notify(value, place, setting, when)), None
    if not isinstance(value, Mapping):
        values.expected(place, "true, false, channels, or keys with values", value)
        return default, None
    fields = Fields(value, place)
    message = fields.maybe("message", values.any_text)
    told = fields.take("notify")
    if isinstance(told, bool):
        return OnError(told, message=message), fields
    if told is None:
        # A message that nobody gets would be no message: whoever writes one wants it sent.
        return OnError(default.notify or message is not None, message=message), fields
    channels = read_notify(told, place / "notify", setting, when)
    return OnError(channels=channels, message=message), fields
