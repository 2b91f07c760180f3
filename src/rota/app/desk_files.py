"""The desk's tools for what the workspace has: search, context, sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rota.app.desk_tools import looks
from rota.app.desk_words import at, count, say, takes, text
from rota.model.agent import Actor

if TYPE_CHECKING:
    from rota.app.wiring import App

Given = Mapping[str, Any]
_PATHS = {"type": "array", "items": {"type": "string"}, "description": "Only in these folders or files."}
_SINCE = text("Only what is of that day or later: 2026-11-01, or 7d.")


def _quiet(_count: int) -> None:
    """Nobody watches the progress."""


def _search(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.search import search

    found, _ = search(
        app,
        str(given["query"]),
        paths=[str(path) for path in given.get("paths") or ()],
        since=given.get("since"),
        limit=int(given["limit"]),
        fresh=True,
        on_progress=_quiet,
    )
    if not found.hits:
        return "Nothing found. Try fewer or other words; begin* finds all words that begin so."
    lead = "No passage has all of these words; these have some of them.\n\n" if found.partly else ""
    zone = app.config.timezone
    return lead + "\n\n".join(
        f"{hit.path}:{hit.line} ({hit.heading or hit.title}, {str(at(hit.moment, zone))[:10]})\n{hit.snippet.text}"
        for hit in found.hits
    )


def _context(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.search import context

    found, _ = context(
        app,
        str(given["about"]),
        paths=[str(path) for path in given.get("paths") or ()],
        since=given.get("since"),
        budget=int(given["tokens"]),
        fresh=True,
        on_progress=_quiet,
    )
    return found.text or "The workspace has nothing about that."


def _sources(app: App, _given: Given, _actor: Actor) -> str:
    from rota.app.sources import list_sources

    zone = app.config.timezone
    return say(
        [
            {
                "name": view.name,
                "kind": view.kind if view.kind != view.name else None,
                "configured": view.configured or None,
                "missing_secrets": [name for name, there in view.keys.items() if not there],
                "problem": view.problem,
                "last_pull": at(view.pulled_at, zone),
                "items": view.items,
                "error": view.error,
                "polled_by": list(view.polled_by),
            }
            for view in list_sources(app)
        ]
    )


TOOLS = (
    looks(
        "search",
        'Find passages in the workspace\'s files. Words in any form; "a phrase", -without, begin*, path:notes, tag:work.',
        takes(
            "query",
            query=text("What to look for."),
            paths=_PATHS,
            since=_SINCE,
            limit=count("How many.", 10, 50),
        ),
        _search,
    ),
    looks(
        "context",
        "Gather what the workspace's files have about something, as Markdown with its places, within so many tokens.",
        takes(
            "about",
            about=text("What it is about, as in search."),
            paths=_PATHS,
            since=_SINCE,
            tokens=count("At most so many.", 4_000, 12_000),
        ),
        _context,
    ),
    looks(
        "source_list",
        "List what `pull:` and `poll:` can ask, and how the last pull went.",
        takes(),
        _sources,
    ),
)
