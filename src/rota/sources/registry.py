"""The kinds of source: a line each, and those that installed packages bring along."""

from __future__ import annotations

from collections.abc import Mapping

from rota.ports.plugins import load_plugins
from rota.ports.steps import SourceKind
from rota.sources.calendar import Calendar
from rota.sources.krisp import Krisp
from rota.sources.notion import Notion

ENTRY_POINTS = "rota.sources"

SOURCES: Mapping[str, SourceKind] = {
    Calendar.key: Calendar(),
    Krisp.key: Krisp(),
    Notion.key: Notion(),
}


def load_entry_points() -> tuple[dict[str, SourceKind], list[str]]:
    """The kinds of other packages (entry points `rota.sources`: a SourceKind or its class), by key.

    The second value says, a line each, which could not be used and why; nothing is raised for them.
    """
    return load_plugins(ENTRY_POINTS, SOURCES, ("key", "params", "target"))
