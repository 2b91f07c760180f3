"""Questions to an index that is up to date: what the command line and the steps call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar

from rota.model.config import IndexConfig
from rota.model.errors import PathError, RotaError
from rota.model.instants import Micros
from rota.schedule import zone
from rota.schedule.since import parse_since
from rota.workspace.index.context import Context, build
from rota.workspace.index.search import Found, Scope, Searcher, searcher
from rota.workspace.index.update import OnProgress, Report, update
from rota.workspace.layout import Layout

T = TypeVar("T")
# Seconds that a question waits for somebody else who brings the index up to date. One that is made from nothing is
# waited for; to one that is there, questions can be put meanwhile.
_PATIENCE = 3.0
_LONG_PATIENCE = 600.0


@dataclass(frozen=True)
class Place:
    """A workspace and the moment of a question. `fresh`: the index is brought up to date first."""

    layout: Layout
    config: IndexConfig
    now: Micros
    timezone: str
    fresh: bool = True
    on_progress: OnProgress = lambda _: None


def scope_of(place: Place, paths: tuple[str, ...], since: str | None) -> Scope:
    """Where is looked. Raises RotaError for a path that is none of the workspace, and for a time that is none."""
    moment = None if since is None else parse_since(since, place.timezone, place.now)
    return Scope(tuple(found for path in paths if (found := inside(place.layout, path))), moment)


def inside(layout: Layout, text: str, *, missing: bool = False) -> str:
    """A path as the index has it: from the root, without `./` and a last slash; empty for the whole workspace.

    Raises PathError for one that leads out, and, unless `missing`, where nothing is there.
    """
    path = PurePosixPath(text.strip())
    if path.is_absolute():
        try:
            path = path.relative_to(PurePosixPath(layout.root))
        except ValueError:
            path = PurePosixPath("..")
    parts = [part for part in path.parts if part != "."]
    if ".." in parts or not text.strip() or "\0" in text:
        raise PathError(
            f"{text[:80]!r} is no path in the workspace",
            hint="paths are from the workspace's folder: notes/meetings",
        )
    if not missing and not (layout.root / PurePosixPath(*parts)).exists():
        raise PathError(
            f"there is no file or folder {'/'.join(parts)[:200]}",
            hint="paths are from the workspace's folder: notes/meetings",
            code="not_found",
        )
    return "/".join(parts)


def search(place: Place, text: str, scope: Scope, limit: int) -> tuple[Found, Report | None]:
    """The best passages for a person's words, and what the update of the index did, if there was one."""
    return _answered(place, lambda one: one.search(text, scope, limit))


def context(
    place: Place, text: str, scope: Scope, *, budget: int, most_bytes: int
) -> tuple[Context, Report | None]:
    """The passages that belong to a question, under a budget of tokens."""
    return _answered(
        place,
        lambda one: build(one, text, scope, budget=budget, most_bytes=most_bytes, zone=zone(place.timezone)),
    )


def _answered(place: Place, ask: Callable[[Searcher], T]) -> tuple[T, Report | None]:
    """The answer. An index that turns out to be of no use is made anew once, unless it is to be left alone."""
    report = _updated(place, _PATIENCE) if place.fresh else None
    try:
        with searcher(place.layout, place.config, place.now) as one:
            return ask(one), report
    except RotaError as error:
        if error.code != "no_index" or not place.fresh:
            raise
    report = _updated(place, _LONG_PATIENCE, rebuild=report is not None and not report.busy)
    with searcher(place.layout, place.config, place.now) as one:
        return ask(one), report


def _updated(place: Place, wait: float, *, rebuild: bool = False) -> Report:
    return update(place.layout, place.config, wait=wait, rebuild=rebuild, on_progress=place.on_progress)
