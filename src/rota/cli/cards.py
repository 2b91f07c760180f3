"""Cards and the board."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rota.cli.boards import EMPTY, assignee_option, card_json, column_option, tag_option
from rota.cli.opening import json_option, workspace
from rota.cli.output import iso, note, print_json, print_table

if TYPE_CHECKING:
    from rota.app.cards import Wanted
    from rota.app.wiring import App
    from rota.model.card import Card, CardComment

_card = click.argument("card")
_text = click.option("--text", metavar="WORDS", help="Only cards with this in title or text.")
_overdue = click.option("--overdue", is_flag=True, help="Only cards whose time is over.")
_file = click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file with the text.",
)


@click.group("card")
def card_command() -> None:
    """Put cards on the board, move, edit and discuss them."""


@card_command.command("add")
@click.argument("title")
@click.option("--body", metavar="TEXT", help="What it is about, Markdown; `-` reads stdin.")
@_file
@click.option("--column", metavar="NAME", help="The column; the board's first unless said.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag; several times for several.")
@click.option("--due", metavar="WHEN", help="2026-12-01, 2026-12-01T09:00, today, tomorrow, 3d, 2w.")
@click.option("--assignee", metavar="NAME", help="Whose it is: a person or an agent.")
@click.option("--key", metavar="TEXT", help="Makes it once: the same key makes no second card, ever.")
@json_option
def add(
    title: str,
    body: str | None,
    file: Path | None,
    column: str | None,
    tags: tuple[str, ...],
    due: str | None,
    assignee: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Put a card on the board; its id goes to stdout."""
    from rota.app.cards import at_the_command_line, create
    from rota.ports.cards import NewCard

    text = _given_text(body, file) or ""
    with workspace(fresh=False) as app:
        new = NewCard(title, text, column, tags, due, assignee, key)
        card, created = create(app, new, at_the_command_line())
        if as_json:
            print_json({**card_json(card, app.config.timezone), "created": created})
            return
        click.echo(card.id)
        if created:
            note(f"{card.id} is in {card.column}: {card.title}")
        else:
            where = (
                "was removed" if card.removed_at else "is in the archive" if card.archived_at else "is there"
            )
            note(f"No new card: {card.id}, which was made with that key, {where}.")


@card_command.command("list")
@column_option
@tag_option
@assignee_option
@_text
@_overdue
@click.option("--archived", is_flag=True, help="Those in the archive instead of those on the board.")
@json_option
def list_cards(
    column: str | None,
    tag: str | None,
    assignee: str | None,
    text: str | None,
    overdue: bool,
    archived: bool,
    as_json: bool,
) -> None:
    """List cards, a line each."""
    from rota.app.cards import Wanted

    with workspace(fresh=False) as app:
        wanted = Wanted(column, tag, assignee, text, overdue)
        found, late = _found(app, wanted, archived=archived)
        if as_json:
            print_json([card_json(card, app.config.timezone) for card in found])
            return
        if not found:
            note("No card fits." if wanted != Wanted() else "The archive is empty." if archived else EMPTY)
            return
        rows = [
            [
                *(card.id, card.column, card.title, _due(card, late), card.assignee or ""),
                " ".join(f"#{tag}" for tag in card.tags),
                str(card.comments or ""),
            ]
            for card in found
        ]
        print_table(["CARD", "COLUMN", "TITLE", "DUE", "ASSIGNEE", "TAGS", "COMMENTS"], rows, flexible=(2, 5))


def _found(app: App, wanted: Wanted, *, archived: bool) -> tuple[list[Card], frozenset[int]]:
    from rota.app.cards import archived as in_archive
    from rota.app.cards import view

    if archived:
        return in_archive(app, wanted), frozenset()
    seen = view(app, wanted)
    return [card for lane in seen.lanes for card in lane.cards], seen.overdue


def _due(card: Card, late: frozenset[int]) -> str:
    said = (card.due or "").replace("T", " ")
    return f"{said} overdue" if card.number in late else said


@card_command.command("show")
@_card
@json_option
def show(card: str, as_json: bool) -> None:
    """Show one card: its text and all that was said on it."""
    from rota.app.cards import find, words_of
    from rota.app.times import ago, local

    with workspace(fresh=False) as app:
        found, comments = find(app, card)
        zone, now = app.config.timezone, app.clock.now()
        if as_json:
            print_json(
                {**card_json(found, zone), "comments": [_comment_json(said, zone) for said in comments]}
            )
            return
        click.echo(f"{found.id}  {found.title}")
        facts = {
            "column": found.column + (" (in the archive)" if found.archived_at is not None else ""),
            "kind": found.kind.value if found.kind.value != "card" else "",
            "due": (found.due or "").replace("T", " "),
            "assignee": found.assignee or "",
            "tags": ", ".join(found.tags),
            "link": found.links.url or "",
            "created": f"{local(found.created_at, zone)} by {words_of(found.created_by)}",
            "changed": f"{ago(found.updated_at, now)} (version {found.version})",
        }
        for name, value in facts.items():
            if value:
                click.echo(f"{name + ':':<10}{value}")
        if found.body:
            click.echo(f"\n{found.body}")
        for said in comments:
            click.echo(f"\n── {words_of(said.author)}, {local(said.at, zone)}\n{said.text}")


@card_command.command("move")
@_card
@click.argument("column", required=False)
@click.option("--top", is_flag=True, help="To the top of the column instead of its end.")
@click.option("--before", metavar="CARD", help="Right before this card of the column.")
@click.option("--after", metavar="CARD", help="Right after this card of the column.")
def move(card: str, column: str | None, top: bool, before: str | None, after: str | None) -> None:
    """Move a card to a COLUMN, or within its own."""
    from rota.app import cards

    if column is None and not (top or before or after):
        raise click.UsageError(
            f"where to?\nhint: rota card move {card} done; or --top, --before CARD, --after CARD"
        )
    with workspace(fresh=False) as app:
        by = cards.at_the_command_line()
        moved = cards.move(app, card, column, by, top=top, before=before, after=after)
        note(f"{moved.id} is in {moved.column}: {moved.title}")


@card_command.command("comment")
@_card
@click.argument("text", required=False)
@_file
def comment(card: str, text: str | None, file: Path | None) -> None:
    """Say something on a card: TEXT, --file, or stdin."""
    from rota.app import cards

    said = _given_text(text, file)
    if said is None:
        if sys.stdin.isatty():
            raise click.UsageError(f"what is said?\nhint: rota card comment {card} 'She is away.'")
        said = sys.stdin.read()
    with workspace(fresh=False) as app:
        found, _made = cards.comment(app, card, said, cards.at_the_command_line())
        note(f"Said on {found.id}: {found.title}")


@card_command.command("edit")
@_card
@click.option("--title", metavar="TEXT", help="A new title.")
@click.option("--body", metavar="TEXT", help="A new text, Markdown; `-` reads stdin.")
@_file
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Add a tag.")
@click.option("--untag", "untags", multiple=True, metavar="TAG", help="Take a tag away.")
@click.option(
    "--due", metavar="WHEN", help="2026-12-01, 2026-12-01T09:00, today, tomorrow, 3d, 2w; '' for none."
)
@click.option("--assignee", metavar="NAME", help="Whose it is; '' for nobody's.")
@click.option(
    "--if-version", "version", type=int, metavar="N", help="Only while it has this version (see `card show`)."
)
def edit(
    card: str,
    title: str | None,
    body: str | None,
    file: Path | None,
    tags: tuple[str, ...],
    untags: tuple[str, ...],
    due: str | None,
    assignee: str | None,
    version: int | None,
) -> None:
    """Change what a card says; without options its title and text in $EDITOR."""
    from rota.app import cards
    from rota.ports.cards import CardChanges

    text = _given_text(body, file)
    changes = CardChanges(title, text, add_tags=tags, drop_tags=untags, due=due, assignee=assignee)
    with workspace(fresh=False) as app:
        if changes == CardChanges(add_tags=(), drop_tags=()):
            changed = _in_the_editor(app, card)
        else:
            changed = cards.change(app, card, changes, cards.at_the_command_line(), version=version)
        note(f"{changed.id} is at version {changed.version}: {changed.title}")


def _in_the_editor(app: App, text: str) -> Card:
    """Its first line is the title. Where somebody else changed the card meanwhile, what was written stays in a file."""
    from rota.app import cards
    from rota.model.errors import RotaError
    from rota.ports.cards import CardChanges

    card, _comments = cards.find(app, text)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    handle, name = tempfile.mkstemp(f"-{card.id}.md", "rota-")
    path = Path(name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"{card.title}\n\n{card.body}".rstrip() + "\n")
    subprocess.run([*shlex.split(editor), name], check=False)
    title, _, body = path.read_text("utf-8", "replace").partition("\n")
    try:
        changed = cards.change(
            app,
            text,
            CardChanges(title, body.removeprefix("\n")),
            cards.at_the_command_line(),
            version=card.version,
        )
    except RotaError as error:
        error.hint = f"{error.hint}; what you wrote is in {name}" if error.hint else f"see {name}"
        raise
    path.unlink(missing_ok=True)
    return changed


@card_command.command("archive")
@click.argument("card", nargs=-1)
@click.option("--column", metavar="NAME", help="All cards of this column.")
@click.option("--before", metavar="WHEN", help="Of the column, those untouched since: 7d, 2026-11-01.")
def archive(card: tuple[str, ...], column: str | None, before: str | None) -> None:
    """Take cards off the board, and keep them: CARD..., or --column NAME."""
    from rota.app import cards
    from rota.schedule.since import parse_since

    if bool(card) == (column is not None) or (before is not None and column is None):
        raise click.UsageError(
            "name cards, or a column\nhint: rota card archive c1 c2; or rota card archive --column done --before 7d"
        )
    with workspace(fresh=False) as app:
        by = cards.at_the_command_line()
        if column is None:
            gone = cards.archive(app, card, by)
        else:
            now, zone = app.clock.now(), app.config.timezone
            since = None if before is None else parse_since(before, zone, now)
            gone = cards.archive_column(app, column, by, before=since)
        for one in gone:
            note(f"{one.id} is in the archive: {one.title}")
        if not gone:
            note("No card fits; nothing was changed.")
        else:
            note(
                "hint: `rota card list --archived` shows the archive, `rota card restore CARD` puts one back"
            )


@card_command.command("restore")
@_card
def restore(card: str) -> None:
    """Put a card of the archive back on the board."""
    from rota.app import cards

    with workspace(fresh=False) as app:
        back = cards.restore(app, card, cards.at_the_command_line())
        note(f"{back.id} is in {back.column}: {back.title}")


@card_command.command("remove")
@_card
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(card: str, yes: bool) -> None:
    """Delete a card of the archive for good, with all that was said on it."""
    from rota.app import cards

    with workspace(fresh=False) as app:
        found, comments = cards.find(app, card)
        words = f"Delete {found.id} ({found.title}) with {len(comments)} comments for good?"
        if not yes and sys.stdin.isatty() and not click.confirm(words, err=True):
            note("Nothing was changed.")
            raise SystemExit(1)
        cards.remove(app, card, cards.at_the_command_line())
        note(f"Removed {found.id}.")


def _given_text(text: str | None, file: Path | None) -> str | None:
    """What --body and --file say; None without either."""
    if text is not None and file is not None:
        raise click.UsageError("both a text and --file\nhint: give one of them")
    if file is not None:
        return file.read_text("utf-8", "replace")
    return sys.stdin.read() if text == "-" else text


def _comment_json(said: CardComment, zone: str) -> dict[str, Any]:
    from rota.app.cards import author_json

    return {"id": said.id, "author": author_json(said.author), "text": said.text, "at": iso(said.at, zone)}
