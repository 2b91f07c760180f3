"""What a source has given before: the part of a cursor that tells new from old."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Item = dict[str, Any]


def fresh(items: Iterable[Item], seen: Mapping[str, str]) -> list[Item]:
    """Those whose id or version is not in `seen`, each with `change`: new or changed. The last of an id counts."""
    found: dict[str, Item] = {}
    for item in items:
        known = seen.get(item["id"])
        if known != item["version"]:
            found[item["id"]] = {**item, "change": "new" if known is None else "changed"}
    return list(found.values())


def remembered(seen: Mapping[str, str], items: Iterable[Item], most: int) -> dict[str, str]:
    """`seen` and the versions of `items`, the latest `most` of them: an id that drops out may come back as new."""
    merged = dict(seen)
    for item in items:
        merged.pop(item["id"], None)  # so that it counts as a late one
        merged[item["id"]] = item["version"]
    return dict(list(merged.items())[-most:])


def part(cursor: Any, key: str) -> dict[str, Any]:
    """A mapping in a cursor; empty where the cursor is none, or another version's."""
    value = cursor.get(key) if isinstance(cursor, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else {}


def word(cursor: Any, key: str) -> str:
    """A text in a cursor; empty where there is none."""
    value = cursor.get(key) if isinstance(cursor, Mapping) else None
    return value if isinstance(value, str) else ""
