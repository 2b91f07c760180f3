"""Sources: what there is to pull, and one pull by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import iso, note, print_json, print_table

if TYPE_CHECKING:
    from rota.app.sources import SourceView
    from rota.ports.sources import Pulled

NOTHING_NEW = 5


@click.group("source")
def source_command() -> None:
    """List the sources that `pull:` can ask, or pull one now."""


@source_command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the sources of rota.yaml and the kinds that there are: their keys, their last pull."""
    from rota.app.sources import list_sources
    from rota.app.times import ago

    with workspace() as app:
        views, now = list_sources(app), app.clock.now()
        if as_json:
            print_json([_as_json(view) for view in views])
            return
        rows = [
            [
                v.name,
                v.kind,
                _keys(v),
                ago(v.pulled_at, now) if v.pulled_at is not None else "never",
                _state(v),
            ]
            for v in views
        ]
        print_table(["SOURCE", "KIND", "KEYS", "PULLED", "STATE"], rows, flexible=(4,))
        for missing in dict.fromkeys(key for v in views for key, there in v.keys.items() if not there):
            note(f"hint: `rota secret set {missing}` stores the key that is missing")


def _keys(view: SourceView) -> str:
    return ", ".join(f"{name}{'' if there else ' (missing)'}" for name, there in view.keys.items()) or "-"


def _state(view: SourceView) -> str:
    if view.error is not None:
        return f"failed: {view.error}"
    if view.problem is not None:
        return view.problem
    if view.items is None:
        return "ok" if view.configured else "not in rota.yaml"
    by = f", polled by {', '.join(view.polled_by)}" if view.polled_by else ""
    return f"ok: {_many(view.items, 'item')}, {view.new} new{by}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _as_json(view: SourceView) -> dict[str, Any]:
    return {
        "name": view.name,
        "kind": view.kind,
        "configured": view.configured,
        "keys": dict(view.keys),
        "problem": view.problem,
        "pulled_at": iso(view.pulled_at),
        "items": view.items,
        "new_items": view.new,
        "failed_at": iso(view.failed_at),
        "error": view.error,
        "polled_by": list(view.polled_by),
    }


@source_command.command("pull")
@click.argument("name")
@click.argument("keys", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--if-new", is_flag=True, help=f"Print nothing, and exit with {NOTHING_NEW}, when nothing is new."
)
@json_option
@click.pass_context
def pull_command(ctx: click.Context, name: str, keys: tuple[str, ...], if_new: bool, as_json: bool) -> None:
    """Pull a source now: its text on stdout, or with --json its items. KEY=VALUE go before rota.yaml's.

    What is new is counted since the last pull from the command line; jobs keep count of their own.
    """
    import asyncio

    from rota.app.sources import pull_here

    given = dict(map(_key, keys))
    with workspace() as app:
        pulled = asyncio.run(
            pull_here(app, name, given, lambda _stream, data: click.echo(data, nl=False, err=True))
        )
    if if_new and not pulled.new:
        note(f"{name}: nothing new since the last pull from here.")
        ctx.exit(NOTHING_NEW)
    if as_json:
        print_json(_pulled_json(name, pulled))
    elif pulled.text:
        click.echo(pulled.text, nl=not pulled.text.endswith("\n"))
    _say(name, pulled)


def _say(name: str, pulled: Pulled) -> None:
    written = f", {_many(len(pulled.files), 'file')} written" if pulled.files else ""
    note(f"{name}: {_many(len(pulled.items), 'item')}, {len(pulled.new)} new{written}.")
    if pulled.note:
        note(pulled.note)
    for conflict in pulled.conflicts:
        note(f"{conflict.path} was changed by hand and is as it was; what is new is in {conflict.beside}")


def _key(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.UsageError(f"expected KEY=VALUE, got {text!r}\nhint: rota source pull calendar days=7")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _pulled_json(name: str, pulled: Pulled) -> dict[str, Any]:
    return {
        "source": name,
        "count": len(pulled.items),
        "new_items": len(pulled.new),
        "unchanged": pulled.unchanged,
        "items": list(pulled.items),
        "text": pulled.text,
        "note": pulled.note,
        "files": list(pulled.files),
        "conflicts": [{"path": c.path, "beside": c.beside} for c in pulled.conflicts],
    }
