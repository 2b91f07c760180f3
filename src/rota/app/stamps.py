"""Whether the registry has read the job files as they are now."""

from __future__ import annotations

from collections.abc import Sequence

from rota.app.version import version
from rota.app.wiring import App
from rota.workspace.jobfiles import JobFile, scan, stamp_of
from rota.workspace.layout import Layout

STAMPS = "jobfiles"


def stamps_of(layout: Layout, files: Sequence[JobFile]) -> dict[str, str]:
    """What decides whether a file is read again. Under "": rota.yaml and this version of rota, which concern all."""
    return {file.path: file.stamp for file in files} | {"": f"{stamp_of(layout.config)} {version()}"}


def is_current(app: App) -> bool:
    """Cheap: one listing, one query."""
    stored = app.store.read(lambda tx: tx.cursors.get(STAMPS))
    return bool(stored == stamps_of(app.layout, scan(app.layout)))
