"""What is called in hosts: the index and the questions to it take too long for the daemon's own loop."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rota.model.config import IndexConfig
from rota.workspace.index.ask import Place, context, inside, scope_of
from rota.workspace.index.update import update
from rota.workspace.layout import Layout

# The answer of a host has an end; a workspace with more folders is not watched but looked at now and then.
MOST_FOLDERS = 5_000


def build_index(
    *,
    workspace: str,
    config: Mapping[str, Any],
    only: Sequence[str] = (),
    folders: bool = False,
    gently: bool = False,
) -> dict[str, Any]:
    """Bring the index up to date. `folders`: say which hold what is indexed, None when they are too many.

    `gently`: at low priority, and not at all while another process is at it. That priority stays with the process:
    only for a host of one call.
    """
    if gently:
        with suppress(OSError):
            os.nice(10)
    layout = Layout(Path(workspace).resolve())
    paths = [inside(layout, path, missing=True) for path in only]
    report = update(layout, read_config(config), only=paths, wait=0.0 if gently else 600.0)
    return {
        "files": report.files,
        "passages": report.passages,
        "added": report.added,
        "changed": report.changed,
        "removed": report.removed,
        "left_out": report.left_out,
        "problems": report.problems,
        "busy": report.busy,
        "began_anew": report.began_anew,
        "seconds": round(report.seconds, 3),
        "folders": (report.folders if len(report.folders) <= MOST_FOLDERS else None) if folders else [],
    }


def build_context(
    *,
    workspace: str,
    config: Mapping[str, Any],
    text: str,
    budget: int,
    paths: Sequence[str],
    since: str | None,
    now: int,
    timezone: str,
    most_bytes: int,
) -> dict[str, Any]:
    """The context for a question: `text`, `count` of passages, `paths` of files, `tokens`."""
    place = Place(Layout(Path(workspace).resolve()), read_config(config), now, timezone)
    scope = scope_of(place, tuple(paths), since)
    found, report = context(place, text, scope, budget=budget, most_bytes=most_bytes)
    return {
        "text": found.text,
        "count": len(found.parts),
        "paths": found.paths,
        "tokens": found.tokens,
        "problems": [] if report is None else report.problems,
    }


def read_config(config: Mapping[str, Any]) -> IndexConfig:
    """The settings as they come over the line: lists in place of tuples."""
    return IndexConfig(
        tuple(config["include"]),
        tuple(config["exclude"]),
        config["max_file"],
        config["watch"],
        config["embeddings"],
    )
