"""Kinds that other packages add through entry points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def load_plugins(
    group: str, builtin: Mapping[str, Any], needs: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """The kinds of the entry-point group by key, and a line about each that is unusable.

    An entry point names a class (called without arguments) or an instance, with the attributes `needs`.
    It cannot replace a `builtin` kind. Never raises: a broken package must not stop the rest.
    """
    from importlib.metadata import entry_points

    found: dict[str, Any] = {}
    problems: list[str] = []
    for entry in sorted(entry_points(group=group), key=lambda e: (e.name, e.value)):
        origin = f"{group}: {entry.name} ({entry.value})"
        try:
            loaded = entry.load()
            kind = loaded() if isinstance(loaded, type) else loaded
            missing = [name for name in needs if not hasattr(kind, name)]
        except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever a stranger's module does on import
            problems.append(f"{origin} cannot be loaded: {type(error).__name__}: {error}")
            continue
        if missing:
            problems.append(f"{origin} has no {', '.join(missing)}")
        elif not isinstance(kind.key, str):
            problems.append(f"{origin} has a key that is no text: {kind.key!r}")
        elif kind.key in builtin or kind.key in found:
            problems.append(f"{origin} is ignored: there is a kind `{kind.key}` already")
        else:
            found[kind.key] = kind
    return found, problems
