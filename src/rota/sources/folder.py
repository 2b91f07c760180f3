"""The folder source: files that are new, changed or gone."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from rota.model.errors import StepError
from rota.sources import _text
from rota.sources._notes import Kept, MayKeepNotes, front, keep
from rota.sources._params import Seconds, Texts, checked
from rota.sources._seen import Item, part
from rota.sources.folder_walk import Found, Wanted, content_hash, walk
from rota.sources.note_text import Note

_MOST_TEXT = 200_000


class FolderParams(MayKeepNotes):
    """What a `pull: folder` step may say."""

    path: str = Field(
        default=".",
        min_length=1,
        description="The folder: relative to the workspace, or absolute, or below ~.",
    )
    match: Texts = Field(
        default=["**"],
        description="Which files: patterns such as `*.pdf` (in any folder), `inbox/*.md`, `**/2026/**`.",
    )
    ignore: Texts = Field(default=[], description="Which files not: patterns as in a .gitignore.")
    gitignore: bool = Field(
        default=False, description="Leave out what the .gitignore files in the folder say."
    )
    hidden: bool = Field(default=False, description="Files and folders whose names begin with a dot, too.")
    settled: Seconds = Field(
        default=2.0,
        ge=0,
        le=86_400,
        description="How long a file must have been left alone, such as 10s, so that none is taken half written.",
    )
    all: bool = Field(default=False, description="Every file every time; not only what is new or changed.")
    most: int = Field(
        default=2000, ge=1, le=5000, description="How many files are watched at most: the newest."
    )


class Folder:
    """Files of a folder: what was put in, edited or taken out since the last look."""

    key: ClassVar[str] = "folder"
    params: ClassVar[type[BaseModel]] = FolderParams
    target: ClassVar[str] = "rota.sources.folder:pull"
    wants: ClassVar[tuple[str, ...]] = ("cursor", "source")


def pull(
    config: dict[str, Any],
    workspace: str,
    now: str,
    cursor: Any = None,
    source: str = "folder",
    **_about: Any,
) -> dict[str, Any]:
    """The files that are new, changed or removed since `cursor`, by path; the first time all; with `all`, all.

    A file is read (for its hash, which is its version) only when its time or size is another than before.
    `id`: its path in the folder; `change`: new, changed or removed.
    """
    params = checked(FolderParams, config, Folder.key)
    folder = _folder(params.path, Path(workspace))
    found, notes = walk(folder, Wanted(params.match, params.ignore, params.gitignore, params.hidden))
    if len(found) > params.most:
        notes.append(f"{len(found)} files match; the newest {params.most} are watched (`most:`)")
        found = sorted(found, key=lambda one: one.mtime_ns, reverse=True)[: params.most]
    before = part(cursor, "files")
    look = _Look(folder, Path(workspace), datetime.fromisoformat(now).timestamp(), params.settled)
    for one in sorted(found, key=lambda one: one.path):
        look.at(one, before.get(one.path))
    look.gone(before)
    if look.unsettled:
        notes.append(
            f"{look.unsettled} file{'' if look.unsettled == 1 else 's'} still being written: next time"
        )
    items = look.everything if params.all else look.news
    kept = Kept()
    if params.into:
        gone = [item["id"] for item in look.news if item["change"] == "removed"]
        there = (_note(source, item, folder) for item in look.news if item["change"] != "removed")
        kept = keep(workspace, source, params.into, there, gone)
    return {
        "items": items,
        "text": _markdown(items),
        "cursor": {"files": {path: stamp for path, stamp in look.files.items() if path not in kept.failed}},
        "unchanged": not look.news and not look.unsettled,
        **kept.answer([*notes, *look.unread[:5]]),
    }


def _note(source: str, item: Item, folder: Path) -> Note:
    """About a file: what it says where it is a text, else where it is."""
    about = front(source, item, path=item["path"], size=item["size"], updated=item["modified"])
    body = f"`{item['path']}`\n"
    if item["size"] <= _MOST_TEXT:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            body = (folder / item["id"]).read_text("utf-8")
    return Note(item["id"], item["title"], body, about)


def _folder(path: str, workspace: Path) -> Path:
    folder = workspace / Path(path).expanduser()
    if not folder.is_dir():
        raise StepError(
            f"there is no folder {path}",
            code="not_found",
            permanent=True,
            hint="`path:` is relative to the workspace, or absolute",
        )
    own = (workspace / ".rota").resolve()
    if folder.resolve().is_relative_to(own) and not folder.resolve().is_relative_to(own / "jobs" / "output"):
        raise StepError(
            f"{path} is rota's own folder: its state and secrets are nobody's files",
            code="bad_path",
            permanent=True,
            hint="what steps write to .rota/jobs/output can be watched",
        )
    return folder


class _Look:
    """One look at the files, against what an earlier one found."""

    def __init__(self, folder: Path, workspace: Path, now: float, settled: float) -> None:
        self._folder = folder
        self._workspace = workspace
        self._now = now
        self._settled = settled
        self.files: dict[str, Any] = {}
        self.news: list[Item] = []
        self.everything: list[Item] = []
        self.unread: list[str] = []
        self.unsettled = 0

    def at(self, found: Found, before: Any) -> None:
        """Take in one file that is there; `before`: its [time, size, hash] of the earlier look."""
        known = before if isinstance(before, list) and len(before) == 3 else None
        stamp = [found.mtime_ns, found.size]
        if known is not None and known[:2] == stamp:
            self.files[found.path] = known
            self.everything.append(self._item(found, known[2], "unchanged"))
            return
        # A time in the future is no time of writing: such a file has been put there with it.
        if 0 <= self._now - found.mtime_ns / 1e9 < self._settled:
            self.unsettled += 1
            if known is not None:
                self.files[found.path] = known
            return
        version = content_hash(self._folder / found.path, found)
        if version is None:
            self.unread.append(f"{found.path} cannot be read")
            if known is not None:
                self.files[found.path] = known
            return
        self.files[found.path] = [*stamp, version]
        change = "new" if known is None else "changed" if known[2] != version else "unchanged"
        item = self._item(found, version, change)
        self.everything.append(item)
        if change != "unchanged":
            self.news.append(item)

    def gone(self, before: Mapping[str, Any]) -> None:
        """What an earlier look found and is not there any more; what is there and not watched is forgotten."""
        for path in sorted(set(before) - set(self.files)):
            if not (self._folder / path).exists():
                shown = self._shown(path)
                about = {"path": shown, "size": 0, "modified": "", "change": "removed"}
                self.news.append({"id": path, "version": "removed", "title": Path(path).name, **about})

    def _item(self, found: Found, version: str, change: str) -> Item:
        return {
            "id": found.path,
            "version": version,
            "title": Path(found.path).name,
            "path": self._shown(found.path),
            "size": found.size,
            "modified": datetime.fromtimestamp(found.mtime_ns // 1_000_000_000, UTC).isoformat(),
            "change": change,
        }

    def _shown(self, path: str) -> str:
        """Relative to the workspace where it is in it."""
        whole = self._folder / path
        return (
            str(whole.relative_to(self._workspace)) if whole.is_relative_to(self._workspace) else str(whole)
        )


def _markdown(items: list[Item]) -> str:
    if not items:
        return "Nothing new.\n"
    return "".join(f"- {item['change']}: {_text.link(item['path'], '')}\n" for item in items)
