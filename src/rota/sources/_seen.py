"""What a source has given before, which tells new from old; and how much of it fits into an answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rota.sources._text import digest, shortened

Item = dict[str, Any]

# A host passes on 4 MB: the cursor and the text need room, too.
_MOST_BYTES = 2_500_000
_LONG = 10_000


def fresh(items: Iterable[Item], seen: Mapping[str, str]) -> list[Item]:
    """Those whose id or version is not in `seen`, each with `change`: new or changed. The last of an id counts."""
    found: dict[str, Item] = {}
    for item in items:
        known = seen.get(_short(item["id"]))
        if known != _short(item["version"]):
            found[item["id"]] = {**item, "change": "new" if known is None else "changed"}
    return list(found.values())


def remembered(seen: Mapping[str, str], items: Iterable[Item], most: int) -> dict[str, str]:
    """`seen` and the versions of `items`, the latest `most` of them: an id that drops out may come back as new.

    Of ids and versions a part of their digest: a cursor has to stay small, whatever it is that names things.
    """
    merged = dict(seen)
    for item in items:
        merged.pop(_short(item["id"]), None)  # so that it counts as a late one
        merged[_short(item["id"])] = _short(item["version"])
    return dict(list(merged.items())[-most:])


def knows(seen: Mapping[str, str], identity: str) -> bool:
    """Whether an item of that id is in `seen`."""
    return _short(identity) in seen


def _short(text: str) -> str:
    return digest(text)[:12]


def fitted(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """The first of the items that together fit into an answer, and the rest: they have to come another time.

    One that is too large by itself has its long texts cut, or its `data` left out.
    """
    kept: list[Item] = []
    total = 0
    for number, item in enumerate(items):
        one = item if (size := _size(item)) <= _MOST_BYTES else _cut(item)
        size = min(size, _size(one))
        if kept and total + size > _MOST_BYTES:
            return kept, list(items[number:])
        kept.append(one)
        total += size
    return kept, []


def _size(item: Item) -> int:
    return len(json.dumps(item, ensure_ascii=False, default=str).encode("utf-8", "replace"))


def _cut(item: Item) -> Item:
    cut: Item = {name: _shortened(value) for name, value in item.items()}
    if _size(cut) <= _MOST_BYTES:
        return cut
    return {name: value for name, value in cut.items() if not isinstance(value, list | dict)}


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return shortened(value, _LONG)
    if isinstance(value, list):
        return [_shortened(one) for one in value]
    if isinstance(value, dict):
        return {name: _shortened(one) for name, one in value.items()}
    return value


def part(cursor: Any, key: str) -> dict[str, Any]:
    """A mapping in a cursor; empty where the cursor is none, or another version's."""
    value = cursor.get(key) if isinstance(cursor, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else {}


def word(cursor: Any, key: str) -> str:
    """A text in a cursor; empty where there is none."""
    value = cursor.get(key) if isinstance(cursor, Mapping) else None
    return value if isinstance(value, str) else ""
