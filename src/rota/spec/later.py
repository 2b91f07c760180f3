"""What the file format has and this version does not act on yet: read, kept, and said so.

When rota learns one of these, its line in LATER is taken out; for a key of a job, its reader moves to
where the key is acted on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rota.spec import values
from rota.spec.report import Fields, Place
from rota.spec.words import listing

# Key (for a value of a key: `key.value`; for a trigger: `on.kind`) -> what is said about it.
LATER: Mapping[str, str] = {
    "budget": "`budget` is read, but this version does not enforce it yet",
    "runs_on": "`runs_on` is read, but this version runs every job on this machine",
}
BUDGET_CAPS = ("usd", "tokens", "turns")
BUDGET_SPANS = ("run", "day", "month")


def warn_if_later(place: Place, key: str) -> None:
    """Warn where this version does not act on a key yet."""
    if key in LATER:
        place.warn(LATER[key])


def read_later(fields: Fields) -> dict[str, Any]:
    """The keys of a job that are kept as they are, checked for their shape; a warning for each."""
    found: dict[str, Any] = {}
    for key, reader in READERS.items():
        value = fields.take(key)
        if value is None:
            continue
        place = fields.place / key
        if reader(value, place):
            found[key] = value
            warn_if_later(place, key)
    return found


def _labels(value: Any, place: Place) -> bool:
    return bool(values.texts(value, place))


def _budget(value: Any, place: Place) -> bool:
    caps = values.mapping(value, place)
    if caps is None:
        return False
    before = len(place.report.errors)
    fields = Fields(caps, place)
    fields.maybe("per", values.choice(BUDGET_SPANS))
    for cap in BUDGET_CAPS:
        fields.maybe(cap, _amount)
    for span in BUDGET_SPANS:
        inner = fields.maybe(span, values.mapping)
        for cap, amount in (inner or {}).items():
            if cap in BUDGET_CAPS:
                _amount(amount, place / span / cap)
            else:
                (place / span / cap).error("unknown key", f"a budget has {listing(BUDGET_CAPS, 'and')}")
    fields.refuse_rest((*BUDGET_CAPS, *BUDGET_SPANS, "per"))
    return len(place.report.errors) == before


def _amount(value: Any, place: Place) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        values.expected(place, "a number from 0 up", value)
        return None
    return value


READERS: Mapping[str, Callable[[Any, Place], bool]] = {
    "budget": _budget,
    "runs_on": _labels,
}
