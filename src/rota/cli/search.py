"""The workspace's files: index, search, context."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import coloured, iso, note, print_json

if TYPE_CHECKING:
    from rota.workspace.index.search import Hit
    from rota.workspace.index.update import Report

in_option = click.option("--in", "paths", multiple=True, metavar="PATH", help="Only at or below this path.")
since_option = click.option(
    "--since", metavar="WHEN", help="Only what is not older: 7d, 36h, 2026-11-01, yesterday."
)
no_index_option = click.option(
    "--no-index", is_flag=True, help="Do not look for changed files first: quicker, maybe out of date."
)
# No short options: `-word` is one that is left out.
WORDS: dict[str, Any] = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


class Progress:
    """Says on a terminal that files are being indexed, where that takes longer than a moment."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._shown = False

    def __call__(self, done: int) -> None:
        """So many files were read."""
        if sys.stderr.isatty() and time.monotonic() - self._begun > 1.0:
            self._shown = True
            click.echo(f"\rIndexing: {done:,} files", nl=False, err=True)

    def end(self) -> None:
        """Leave an empty line for what comes."""
        if self._shown:
            click.echo("\r" + " " * 40 + "\r", nl=False, err=True)
            self._shown = False


@click.command("index")
@click.option(
    "--if-changed", is_flag=True, help="Say nothing when nothing changed; leave it to one who is at it."
)
@click.option("--rebuild", is_flag=True, help="Make it anew from all files.")
@json_option
def index_command(if_changed: bool, rebuild: bool, as_json: bool) -> None:
    """Bring the index of the workspace's files up to date."""
    from rota.app.search import index

    if if_changed and rebuild:
        raise click.UsageError("--if-changed and --rebuild exclude each other\nhint: leave out one of them")
    progress = Progress()
    with workspace(fresh=False) as app:
        report = index(app, rebuild=rebuild, wait=0.0 if if_changed else 600.0, on_progress=progress)
    progress.end()
    if as_json:
        print_json(_report_json(report))
    elif report.busy:
        if not if_changed:
            note(
                "Another process has been indexing for ten minutes. hint: look for a `rota index` that hangs"
            )
    elif not (if_changed and report.quiet):
        click.echo(
            f"{report.files:,} files indexed in {report.seconds:.1f} s: {report.added:,} new, "
            f"{report.changed:,} changed, {report.removed:,} gone"
        )
        if report.began_anew and not rebuild and report.began_anew != "there is none yet":
            note(f"The index was made anew: {report.began_anew}.")
        if report.left_out:
            note("Left out: " + ", ".join(f"{count:,} {reason}" for reason, count in report.left_out.items()))
    _say_problems(report)
    if report.busy and not if_changed:
        raise SystemExit(1)


@click.command("search", context_settings=WORDS)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
@in_option
@since_option
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@no_index_option
@json_option
def search_command(
    words: tuple[str, ...],
    paths: tuple[str, ...],
    since: str | None,
    limit: int,
    no_index: bool,
    as_json: bool,
) -> None:
    """Find passages in the workspace's files.

    WORDS are words in any form; "a phrase" in quotes, -without, begin*, path:notes, tag:work.
    """
    from rota.app.search import search

    if words == ("-h",):
        click.echo(click.get_current_context().get_help())
        return
    progress = Progress()
    with workspace(fresh=False) as app:
        found, report = search(
            app,
            _asked(words),
            paths=paths,
            since=since,
            limit=limit,
            fresh=not no_index,
            on_progress=progress,
        )
        zone, now = app.config.timezone, app.clock.now()
    progress.end()
    if as_json:
        hits = [_hit_json(hit, zone) for hit in found.hits]
        print_json({"query": _asked(words), "partly": found.partly, "hits": hits})
        return
    if found.partly:
        note("No passage has all of these words; these have some of them.")
    for number, hit in enumerate(found.hits):
        if number:
            click.echo()
        _show(hit, zone, now)
    if not found.hits:
        note("Nothing found. hint: fewer or other words; begin* finds all words that begin so")
    _say_update(report)


@click.command("context")
@click.option("--for", "text", required=True, metavar="WORDS", help="What it is about, as in `rota search`.")
@click.option(
    "--budget", default=8000, show_default=True, type=click.IntRange(100, 1_000_000), metavar="TOKENS",
    help="The most tokens that it may have.",
)  # fmt: skip
@in_option
@since_option
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@no_index_option
@json_option
def context_command(
    text: str,
    budget: int,
    paths: tuple[str, ...],
    since: str | None,
    output: Path | None,
    no_index: bool,
    as_json: bool,
) -> None:
    """Gather what the files have about something, for a prompt."""
    from rota.app.search import context

    progress = Progress()
    with workspace(fresh=False) as app:
        found, report = context(
            app, text, paths=paths, since=since, budget=budget, fresh=not no_index, on_progress=progress
        )
        zone = app.config.timezone
    progress.end()
    if output is not None:
        from rota.ports.files import write_atomic

        write_atomic(output.absolute(), found.text.encode())
    if as_json:
        parts = [
            {
                **{name: getattr(part, name) for name in ("path", "heading", "line", "last", "text")},
                "date": iso(part.moment, zone),
            }
            for part in found.parts
        ]
        print_json({"text": found.text, "tokens": found.tokens, "paths": found.paths, "passages": parts})
    elif output is None:
        click.echo(found.text, nl=False)
    if output is not None or sys.stdout.isatty():
        count, files = len(found.parts), len(found.paths)
        note(
            f"{count} passage{'' if count == 1 else 's'} of {files} file{'' if files == 1 else 's'},"
            f" about {found.tokens:,} tokens" + (f", in {output}" if output is not None else "")
        )
    _say_update(report)


def _asked(words: tuple[str, ...]) -> str:
    return " ".join(words)


def _say_update(report: Report | None) -> None:
    """What the update before a question could not do."""
    if report is None:
        return
    if report.busy:
        note("Another process is indexing: what changed just now may be missing.")
    _say_problems(report)


def _say_problems(report: Report) -> None:
    for problem in report.problems:
        note(f"not indexed: {problem}")


def _show(hit: Hit, zone: str, now: int) -> None:
    """One hit: where it is, then the words in their place, wrapped to the terminal."""
    from rota.app.times import zoned

    moment, today = zoned(hit.moment, zone), zoned(now, zone)
    day = f"{moment.day} {moment:%b}" + ("" if moment.year == today.year else f" {moment.year}")
    place = f"{hit.path}:{hit.line}"
    about = f"{hit.heading or hit.title}, {day}"
    if coloured():
        place, about = click.style(place, fg="cyan"), click.style(about, dim=True)
    click.echo(f"{place}  {about}")
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    for line in _wrapped(hit, max(40, columns - 4)):
        click.echo(f"    {line}")


def _wrapped(hit: Hit, width: int) -> list[str]:
    """The snippet in lines of that width; its words bold on a terminal, between ** elsewhere."""
    text, marks = hit.snippet.text, hit.snippet.marks
    before, after = ("\x1b[1m", "\x1b[0m") if coloured() else ("**", "**")
    lines, begin = [], 0
    while begin < len(text):
        end = len(text)
        if end - begin > width:
            space = text.rfind(" ", begin, begin + width + 1)
            end = begin + width if space <= begin else space
        shown, at = "", begin
        for b, e in marks:
            b, e = max(b, begin), min(e, end)  # noqa: PLW2901 # the part of the mark that is in this line
            if b < e:
                shown += text[at:b] + before + text[b:e] + after
                at = e
        lines.append(shown + text[at:end])
        begin = end + (text[end : end + 1] == " ")
    return lines


def _hit_json(hit: Hit, zone: str) -> dict[str, Any]:
    return {
        "path": hit.path,
        "line": hit.line,
        "title": hit.title,
        "heading": hit.heading,
        "date": iso(hit.moment, zone),
        "score": hit.score,
        "snippet": hit.snippet.text,
        "marks": [list(mark) for mark in hit.snippet.marks],
    }


def _report_json(report: Report) -> dict[str, Any]:
    names = (
        "files",
        "passages",
        "added",
        "changed",
        "removed",
        "left_out",
        "problems",
        "busy",
        "began_anew",
        "seconds",
    )
    return {name: getattr(report, name) for name in names}
