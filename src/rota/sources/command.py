"""The command source: what a program prints, a line of JSON for each item."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, StringConstraints

from rota.model.errors import StepError
from rota.sources import _text
from rota.sources._notes import Kept, MayKeepNotes, data_note, keep
from rota.sources._params import Patience, checked
from rota.sources._process import Ended, run_program
from rota.sources._seen import Item, fitted, fresh, part, remembered

_SHELL = ("sh", "-e", "-c")
_NOT_STARTED = frozenset({126, 127})
_MOST_BYTES = 10_000_000
_MOST_NAMED = 5
_REMEMBERED = 5_000


class CommandParams(MayKeepNotes):
    """What a `pull: command` step may say."""

    command: (
        Annotated[str, StringConstraints(pattern=r"\S")]
        | Annotated[list[str | int | float], Field(min_length=1)]
    ) = Field(
        description="The program: a list of it and its arguments, or a text for `sh`. `{{ values }}` reach it as "
        "data, never as shell code, and a stored secret that a text names as `$NAME` is in its environment.",
    )
    env: dict[str, str | int | float] = Field(
        default={}, description="More environment, such as `TOKEN: ${MY_TOKEN}`."
    )
    cwd: str = Field(default=".", description="The folder to run in, relative to the workspace.")
    ok_codes: list[int] = Field(default=[0], min_length=1, description="Exit codes that are no failure.")
    all: bool = Field(default=False, description="Every item every time; not only what is new or changed.")
    most: int = Field(default=1000, ge=1, le=5000, description="How many items one look gives at most.")
    give_up_after: Patience = 60.0


class Command:
    """Any program that prints JSON: the way to what has no source of its own."""

    key: ClassVar[str] = "command"
    params: ClassVar[type[BaseModel]] = CommandParams
    target: ClassVar[str] = "rota.sources.command:pull"
    wants: ClassVar[tuple[str, ...]] = ("cursor", "source")
    shells: ClassVar[tuple[str, ...]] = ("command",)


def pull(
    config: dict[str, Any], workspace: str, cursor: Any = None, source: str = "command", **_about: Any
) -> dict[str, Any]:
    """What is new or changed since `cursor`, in the order of the lines; with `all`, everything.

    A line is a JSON object: `id` (default: its content), `version` (default: its content), `title`, `url` and
    whatever else. `{"cursor": ...}` alone on a line is given to the next run as ROTA_CURSOR. Lines that are
    no objects are named in the note; when no line is one, and for a bad exit code, that is a StepError.
    """
    params = checked(CommandParams, config, Command.key)
    before = cursor.get("program") if isinstance(cursor, Mapping) else None
    found, bad, place = _read(_run(params, Path(workspace), source, before), before)
    seen = part(cursor, "seen")
    news = fresh(found, seen)
    given, _ = fitted((found if params.all else news)[: params.most])
    notes = _bad_lines(bad)
    done = Kept()
    if params.into:
        done = keep(workspace, source, params.into, (data_note(source, item, item) for item in given))
    left = {item["id"] for item in news} - {item["id"] for item in given}
    if left:
        notes.append(f"{len(left)} more items are left for the next look")
    again = left | done.failed
    told = [item for item in found if item["id"] not in again]
    return {
        "items": given,
        "text": _markdown(given),
        # The program's own place stays where it is while what it printed has not all been told of.
        "cursor": {"program": before if again else place, "seen": remembered(seen, told, _REMEMBERED)},
        "unchanged": not news and not bad,
        **done.answer(notes),
    }


def _run(params: CommandParams, workspace: Path, source: str, place: Any) -> Ended:
    argv = (
        [*_SHELL, params.command]
        if isinstance(params.command, str)
        else [str(word) for word in params.command]
    )
    what = f"the command of {source!r}" if isinstance(params.command, str) else f"the command `{argv[0]}`"
    folder = (workspace / params.cwd).resolve()
    if not folder.is_dir() or not folder.is_relative_to(workspace.resolve()):
        raise StepError(
            f"`cwd: {params.cwd}` is not a folder of the workspace",
            code="bad_path",
            permanent=True,
            hint="it is relative to the workspace",
        )
    env = os.environ | {name: str(text) for name, text in params.env.items()}
    env["ROTA_CURSOR"] = "" if place is None else json.dumps(place)
    ended = run_program(argv, what=what, cwd=folder, env=env, timeout=params.give_up_after, limit=_MOST_BYTES)
    if ended.too_long:
        raise StepError(
            f"{what} printed more than {_MOST_BYTES // 1_000_000} MB and was ended",
            code="too_long",
            permanent=True,
            hint="print less: what is new alone, after ROTA_CURSOR",
        )
    if ended.code not in params.ok_codes:
        said = _text.one_line(_text.masked(ended.complaint, [str(text) for text in params.env.values()]))
        how = f"exited with {ended.code}" if ended.code >= 0 else f"was ended by signal {-ended.code}"
        raise StepError(
            f"{what} {how}" + (f": {said}" if said else ""),
            hint="run it by hand in the workspace to see what it lacks; `ok_codes:` allows other codes",
            code="not_started" if ended.code in _NOT_STARTED else "exit_nonzero",
            permanent=ended.code in _NOT_STARTED,
        )
    return ended


def _read(ended: Ended, place: Any) -> tuple[list[Item], list[str], Any]:
    """The items, what is wrong with which lines, and the program's own cursor."""
    text = ended.output.decode("utf-8", "replace")
    values: list[tuple[str, Any]] = []
    bad: list[str] = []
    if (whole := _whole_list(text)) is not None:
        values = [(f"element {number}", value) for number, value in enumerate(whole, 1)]
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                values.append((f"line {number}", json.loads(line)))
            except (ValueError, RecursionError):
                bad.append(f"line {number} is not JSON: {_text.one_line(line, 60)}")
    items: dict[str, Item] = {}
    for where, value in values:
        if not isinstance(value, dict):
            bad.append(f"{where} is not a JSON object: {_text.one_line(json.dumps(value), 60)}")
        elif set(value) == {"cursor"}:
            place = value["cursor"]
        else:
            item = _item(value)
            items[item["id"]] = item
    if bad and not items:
        raise StepError(
            f"the command printed no item: {bad[0]}",
            code="bad_answer",
            permanent=True,
            hint='each line of its output is a JSON object, such as {"id": "7", "title": "..."}',
        )
    return list(items.values()), bad, place


def _whole_list(text: str) -> list[Any] | None:
    """The output as one JSON list, as many programs print it; None when it is not one."""
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _item(value: dict[str, Any]) -> Item:
    named, version = value.get("id"), value.get("version")
    title = next((value[name] for name in ("title", "name", "subject") if value.get(name)), named)
    return {
        **value,
        "id": str(named) if named not in (None, "") else _text.digest(value),
        "version": str(version) if version not in (None, "") else _text.digest(value),
        "title": _text.one_line(title if title not in (None, "") else json.dumps(value, ensure_ascii=False)),
    }


def _bad_lines(bad: list[str]) -> list[str]:
    rest = len(bad) - _MOST_NAMED
    return [*bad[:_MOST_NAMED], *([f"and {rest} more such lines"] if rest > 0 else [])]


def _markdown(items: list[Item]) -> str:
    if not items:
        return "Nothing new.\n"
    return "".join(f"- {_text.link(item['title'], str(item.get('url') or ''))}\n" for item in items)
