"""The index of the workspace's files: bring it up to date, search it, take context from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rota.app.wiring import App
from rota.model.errors import RotaError

if TYPE_CHECKING:
    from rota.workspace.index.ask import Place
    from rota.workspace.index.context import Context
    from rota.workspace.index.search import Found, Scope
    from rota.workspace.index.update import Report

OnProgress = Callable[[int], None]


def index(app: App, *, rebuild: bool, wait: float, on_progress: OnProgress) -> Report:
    """Make the index say what the files say. `wait`: seconds, while another process is at it."""
    from rota.workspace.index.update import update

    return update(app.layout, app.config.index, rebuild=rebuild, wait=wait, on_progress=on_progress)


def search(
    app: App,
    text: str,
    *,
    paths: Sequence[str],
    since: str | None,
    limit: int,
    fresh: bool,
    on_progress: OnProgress,
) -> tuple[Found, Report | None]:
    """Ranked passages for a person's words; and what was indexed first, if `fresh` asks for that."""
    from rota.workspace.index import ask

    place = _place(app, fresh=fresh, on_progress=on_progress)
    return ask.search(place, text, _scope(place, paths, since), limit)


def context(
    app: App,
    text: str,
    *,
    paths: Sequence[str],
    since: str | None,
    budget: int,
    fresh: bool,
    on_progress: OnProgress,
) -> tuple[Context, Report | None]:
    """What the workspace has about a question, as Markdown of at most `budget` tokens."""
    from rota.workspace.index import ask

    place = _place(app, fresh=fresh, on_progress=on_progress)
    # A terminal takes what a file takes: the cap on values is one of the state's.
    return ask.context(place, text, _scope(place, paths, since), budget=budget, most_bytes=100_000_000)


def index_problem(app: App) -> RotaError | None:
    """What keeps the index from being used as the settings ask for."""
    from rota.workspace.index.vectors import check_model

    try:
        check_model(app.config.index, app.layout)
    except RotaError as error:
        return error
    return None


def _place(app: App, *, fresh: bool, on_progress: OnProgress) -> Place:
    from rota.workspace.index.ask import Place

    config = app.config
    return Place(app.layout, config.index, app.clock.now(), config.timezone, fresh, on_progress)


def _scope(place: Place, paths: Sequence[str], since: str | None) -> Scope:
    from rota.workspace.index.ask import scope_of

    return scope_of(place, tuple(_from_here(place.layout.root, path) for path in paths), since)


def _from_here(root: Path, path: str) -> str:
    """A path as a person in a folder of the workspace means it: from there, where there is such a thing."""
    here = Path.cwd().resolve()
    if here == root or not here.is_relative_to(root) or not path.strip() or "\0" in path:
        return path
    target = Path(here, path).resolve()
    return str(target.relative_to(root)) if target.exists() and target.is_relative_to(root) else path
