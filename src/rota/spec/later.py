"""What the file format has and this version does not act on yet: read, kept, and said so.

When rota learns one of these, its line in LATER is taken out; for a key of a job, its reader moves to
where the key is acted on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rota.spec import values
from rota.spec.report import Fields, Place

# Key (for a value of a key: `key.value`; for a trigger: `on.kind`) -> what is said about it.
LATER: Mapping[str, str] = {
    "runs_on": "`runs_on` is read, but this version runs every job on this machine",
}


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


READERS: Mapping[str, Callable[[Any, Place], bool]] = {
    "runs_on": _labels,
}
