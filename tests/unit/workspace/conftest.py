"""A workspace of notes, and the questions that a person puts to it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rota.model.config import IndexConfig
from rota.model.instants import to_micros
from rota.workspace.index import ask
from rota.workspace.index.context import Context
from rota.workspace.index.search import Found, Hit
from rota.workspace.index.update import Report, update
from rota.workspace.layout import Layout, make_private

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@dataclass
class Notes:
    """A workspace in which files are as old as they are said to be."""

    root: Path
    config: IndexConfig = field(default_factory=IndexConfig)

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    def write(self, path: str, text: str | bytes, *, day: str = "2026-11-20") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        moment = datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()
        os.utime(file, (moment, moment))
        return file

    def index(self, *, only: tuple[str, ...] = (), rebuild: bool = False) -> Report:
        return update(self.layout, self.config, only=only, rebuild=rebuild)

    def settings(self, **changes: object) -> None:
        self.config = replace(self.config, **changes)  # type: ignore[arg-type]

    def _place(self, *, fresh: bool) -> ask.Place:
        return ask.Place(self.layout, self.config, to_micros(NOW), "Europe/London", fresh)

    def search(
        self,
        text: str,
        *,
        paths: tuple[str, ...] = (),
        since: str | None = None,
        limit: int = 10,
        fresh: bool = True,
    ) -> Found:
        place = self._place(fresh=fresh)
        return ask.search(place, text, ask.scope_of(place, paths, since), limit)[0]

    def hits(self, text: str, **options: object) -> tuple[Hit, ...]:
        return self.search(text, **options).hits  # type: ignore[arg-type]

    def paths(self, text: str, **options: object) -> list[str]:
        """The files that are found, best first, each once."""
        return list(dict.fromkeys(hit.path for hit in self.hits(text, **options)))

    def context(
        self, text: str, *, paths: tuple[str, ...] = (), since: str | None = None, budget: int = 8000
    ) -> Context:
        place = self._place(fresh=True)
        scope = ask.scope_of(place, paths, since)
        return ask.context(place, text, scope, budget=budget, most_bytes=1_000_000)[0]


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    made = Notes((tmp_path / "desk").resolve())
    make_private(made.layout)
    return made
