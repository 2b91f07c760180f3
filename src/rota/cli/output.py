"""How things are shown: tables that fit the terminal, JSON, colour where it is wanted, instants."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

import click

from rota.model.instants import Micros

_COLOURS = {
    "succeeded": "green", "active": "green", "ok": "green", "ran": "green",
    "failed": "red", "broken": "red", "problem": "red", "missed": "red",
    "running": "cyan", "queued": "cyan",
    "waiting": "yellow", "paused": "yellow", "warning": "yellow", "skipped": "yellow",
    "cancelled": "yellow", "interrupted": "yellow", "disabled": "yellow",
}  # fmt: skip


def coloured(stream: TextIO | None = None) -> bool:
    """Whether `stream` (stdout) takes colour: it is a terminal, and NO_COLOR is not set."""
    return (stream or sys.stdout).isatty() and "NO_COLOR" not in os.environ


def paint(word: str) -> str:
    """A state in its colour."""
    colour = _COLOURS.get(word.strip().partition(" ")[0])
    return click.style(word, fg=colour) if colour and coloured() else word


def dimmed(text: str) -> str:
    """What stands between the lines that matter, on stderr."""
    return click.style(text, dim=True) if coloured(sys.stderr) else text


def note(text: str) -> None:
    """For the person, not for the pipe: stderr."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """Data for machines."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def iso(instant: Micros | None, timezone: str = "UTC") -> str | None:
    """An instant as ISO 8601 with offset."""
    if instant is None:
        return None
    from rota.app.times import zoned

    return zoned(instant, timezone).isoformat()


def print_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, flexible: Sequence[int] = ()
) -> None:
    """Aligned columns. On a terminal, the `flexible` ones are shortened until a row fits its width."""
    widths = [max(width_of(row[i]) for row in (headers, *rows)) for i in range(len(headers))]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - 2 * (len(headers) - 1)
        while sum(widths) > room:
            widest = max(flexible, key=lambda i: widths[i], default=None)
            if widest is None or widths[widest] <= 8:
                break
            widths[widest] -= 1
    click.echo(_line([click.style(h, bold=True) if coloured() else h for h in headers], headers, widths))
    for row in rows:
        cells = [fit(cell, width) for cell, width in zip(row, widths, strict=True)]
        click.echo(_line([paint(cell) for cell in cells], cells, widths))


def _line(shown: Sequence[str], plain: Sequence[str], widths: Sequence[int]) -> str:
    cells = [s + " " * (w - width_of(p)) for s, p, w in zip(shown, plain, widths, strict=True)]
    return "  ".join(cells).rstrip()


def width_of(text: str) -> int:
    """How many columns of a terminal it takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def fit(text: str, width: int) -> str:
    """The text on one line, shortened to so many columns."""
    text = " ".join(text.split())
    if width_of(text) <= width:
        return text
    while text and width_of(text) > width - 1:
        text = text[:-1]
    return text.rstrip() + "…"
