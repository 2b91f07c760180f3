"""The board as a terminal shows it: columns side by side, or one below the other where there is no room for that."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import coloured, fit, iso, note, print_json, width_of

if TYPE_CHECKING:
    from rota.app.cards import BoardView, Lane
    from rota.model.card import Card

NARROWEST = 18  # a column with less has one word to a line
GAP = 2
MOST_SHOWN = 15
_TITLE_LINES = 3

column_option = click.option("--column", metavar="NAME", help="Only this column.")
tag_option = click.option("--tag", metavar="TAG", help="Only cards with this tag.")
assignee_option = click.option("--assignee", metavar="NAME", help="Only cards of this person or agent.")
EMPTY = "The board is empty. hint: rota card add 'Call Priya' puts a card on it; so do jobs (step `card`) and agents"


# A line, and how it is painted.
_Line = tuple[str, str]


@click.command("board")
@column_option
@tag_option
@assignee_option
@click.option("--all", "whole", is_flag=True, help="Every card, however many a column has.")
@json_option
def board_command(
    column: str | None, tag: str | None, assignee: str | None, whole: bool, as_json: bool
) -> None:
    """Show the board: the columns with their cards."""
    from rota.app.cards import Wanted, view

    with workspace(fresh=False) as app:
        wanted = Wanted(column, tag, assignee)
        seen = view(app, wanted)
        if as_json:
            zone = app.config.timezone
            lanes = [
                {
                    "name": lane.name,
                    "known": lane.known,
                    "cards": [card_json(card, zone) for card in lane.cards],
                }
                for lane in seen.lanes
            ]
            print_json({"columns": lanes, "archived": seen.archived})
            return
        if seen.total == 0 and wanted == Wanted():
            note(EMPTY)
        else:
            for line in board_lines(seen, shutil.get_terminal_size().columns, whole=whole):
                click.echo(line)
        strange = [lane.name for lane in seen.lanes if not lane.known]
        if strange:
            note(
                f"Not among the columns of rota.yaml: {', '.join(strange)}. hint: rota card move CARD COLUMN"
            )
        if seen.archived:
            note(f"{seen.archived:,} in the archive: rota card list --archived")


def board_lines(view: BoardView, width: int, *, whole: bool = False) -> list[str]:
    """The lines of the board for a terminal of that width. `whole`: all cards of a column, however many."""
    lanes = view.lanes
    room = (width - GAP * (len(lanes) - 1)) // max(1, len(lanes))
    if room < NARROWEST:
        lines: list[str] = []
        for lane in lanes:
            lines += [*(_paint(*line) for line in _lane(view, lane, width, whole=whole)), ""]
        return lines[:-1]
    blocks = [list(_lane(view, lane, room, whole=whole)) for lane in lanes]
    height = max(map(len, blocks))
    rows = []
    for index in range(height):
        cells = [block[index] if index < len(block) else ("", "") for block in blocks]
        row = "".join(
            _paint(*cell) + " " * (room - width_of(cell[0]) + GAP if place < len(cells) - 1 else 0)
            for place, cell in enumerate(cells)
        )
        rows.append(row.rstrip())
    return rows


def _lane(view: BoardView, lane: Lane, width: int, *, whole: bool) -> Iterator[_Line]:
    yield fit(f"{lane.name} ({len(lane.cards)})", width), "heading"
    yield "─" * width, "dim"
    shown = lane.cards if whole else lane.cards[:MOST_SHOWN]
    for card in shown:
        yield from _card(card, width, late=card.number in view.overdue)
    if len(shown) < len(lane.cards):
        yield fit(f"… {len(lane.cards) - len(shown)} more", width), "dim"


def _card(card: Card, width: int, *, late: bool) -> Iterator[_Line]:
    indent = "  "
    for number, text in enumerate(_wrapped(f"{card.id} {card.title}", width, indent)):
        yield text, "card" if number == 0 else ""
    for about in _about(card, late=late):
        yield fit_under(indent, about, width), "late" if about.startswith("late") else "dim"


def fit_under(indent: str, text: str, width: int) -> str:
    """The text below a card's title, shortened to the column."""
    return indent + fit(text, width - len(indent))


def _about(card: Card, *, late: bool) -> list[str]:
    people = [*([f"@{card.assignee}"] if card.assignee else []), *(f"#{tag}" for tag in card.tags)]
    said = f"{card.comments} comment{'' if card.comments == 1 else 's'}" if card.comments else ""
    return [
        part
        for part in (
            f"a {card.kind.value}" if card.kind.value != "card" else "",
            f"{'late' if late else 'due'} {card.due.replace('T', ' ')}" if card.due else "",
            " ".join(people),
            said,
        )
        if part
    ]


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    """The text in lines of that width, words whole where they fit; what does not fit into a few lines is cut."""
    lines, current = [], ""
    for word in _pieces(text.split(), width - len(indent)):
        joined = f"{current} {word}" if current.strip() else current + word
        if width_of(joined) <= width:
            current = joined
        else:
            lines.append(current)
            current = indent + word
    lines.append(current)
    if len(lines) <= _TITLE_LINES:
        return lines
    last = lines[_TITLE_LINES - 1]
    while width_of(last) > width - 1:
        last = last[:-1]
    return [*lines[: _TITLE_LINES - 1], f"{last.rstrip()}…"]


def _pieces(words: Sequence[str], room: int) -> Iterator[str]:
    """The words; one that is longer than a line in several pieces."""
    for word in words:
        piece = ""
        for char in word:
            if width_of(piece + char) > room:
                yield piece
                piece = ""
            piece += char
        if piece:
            yield piece


def _paint(text: str, how: str) -> str:
    if not text or not coloured() or not how:
        return text
    if how == "heading":
        return click.style(text, bold=True)
    if how == "card":
        name, space, rest = text.partition(" ")
        return click.style(name, fg="cyan") + space + rest
    return click.style(text, fg="red") if how == "late" else click.style(text, dim=True)


def card_json(card: Card, zone: str) -> dict[str, Any]:
    """A card for machines."""
    from rota.app.cards import author_json

    return {
        "id": card.id,
        "title": card.title,
        "body": card.body,
        "column": card.column,
        "kind": card.kind.value,
        "tags": list(card.tags),
        "due": card.due,
        "assignee": card.assignee,
        "created_by": author_json(card.created_by),
        "created_at": iso(card.created_at, zone),
        "updated_at": iso(card.updated_at, zone),
        "version": card.version,
        "comment_count": card.comments,
        "key": card.key,
        "links": {
            "run": card.links.run,
            "step": card.links.step,
            "proposal": card.links.proposal,
            "url": card.links.url,
        },
        "archived_at": iso(card.archived_at, zone),
    }
