"""An open workspace with a clock that stands still: for tests of the facade."""

from __future__ import annotations

from pathlib import Path

from tests.support.clock import FakeClock

from rota.app.sync import sync
from rota.app.wiring import App, open_app
from rota.workspace.layout import Layout, make_private


class Opened:
    """A workspace, its clock, and shorthands."""

    def __init__(self, root: Path) -> None:
        make_private(Layout(root.resolve()))
        self.root = root.resolve()
        self.clock = FakeClock()
        self.app: App = open_app(root, self.clock)

    def job(self, job_id: str, text: str) -> Path:
        """Write a job file and register it."""
        path = self.root / ".rota" / "jobs" / f"{job_id}.yaml"
        path.write_text(text)
        sync(self.app)
        return path

    def file(self, path: str, text: str = "") -> Path:
        """Write any file."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place
