"""The files of a folder that patterns choose; links are not followed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rota.model.errors import StepError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_MOST_ENTRIES = 500_000
# Beyond this a file's version is its time and size: reading it would take longer than a look should.
_MOST_HASHED = 200_000_000
_RULES = 100_000


@dataclass(frozen=True)
class Wanted:
    """Which files: `match` and `ignore` in gitignore's patterns."""

    match: Sequence[str]
    ignore: Sequence[str]
    gitignore: bool
    hidden: bool


@dataclass(frozen=True)
class Found:
    """A regular file; `path` is relative to the folder, with `/`."""

    path: str
    size: int
    mtime_ns: int


def walk(folder: Path, wanted: Wanted) -> tuple[list[Found], list[str]]:
    """The files, and notes about folders that cannot be read. StepError where there are far too many entries."""
    from pathspec import GitIgnoreSpec

    match, ignore = GitIgnoreSpec.from_lines(wanted.match), GitIgnoreSpec.from_lines(wanted.ignore)
    notes: list[str] = []
    found: list[Found] = []
    entries = 0
    # Each folder with the rules that hold in it: those of its own .gitignore count from there.
    pending: list[tuple[str, tuple[tuple[str, GitIgnoreSpec], ...]]] = [("", ())]
    while pending:
        base, rules = pending.pop()
        if wanted.gitignore and (own := _rules(folder / base)):
            rules = (*rules, (base, own))
        for entry in _entries(folder / base, base, notes):
            entries += 1
            if entries > _MOST_ENTRIES:
                raise _too_many()
            path = f"{base}{entry.name}"
            if _is_private(path, entry.name) or (entry.name.startswith(".") and not wanted.hidden):
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            named = f"{path}/" if is_folder else path
            if ignore.match_file(named) or _ignored(named, rules):
                continue
            if is_folder:
                pending.append((named, rules))
            elif match.match_file(path) and (one := _found(entry, path)):
                found.append(one)
    return found, notes


def _is_private(path: str, name: str) -> bool:
    # A repository's insides, and rota's own state, change all the time and are nobody's news.
    return name == ".git" or path == ".rota" or path.endswith("/.rota")


def _entries(folder: Path, base: str, notes: list[str]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        notes.append(f"the folder {base or '.'} cannot be read: {error.strerror}")


def _found(entry: os.DirEntry[str], path: str) -> Found | None:
    try:
        status = entry.stat(follow_symlinks=False)
        path.encode()  # names that are no text cannot be told of
    except (OSError, UnicodeEncodeError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Found(path, status.st_size, status.st_mtime_ns)


def _rules(folder: Path) -> GitIgnoreSpec | None:
    from pathspec import GitIgnoreSpec

    try:
        with (folder / ".gitignore").open(encoding="utf-8", errors="replace") as file:
            return GitIgnoreSpec.from_lines(file.read(_RULES).splitlines())
    except (OSError, ValueError):
        return None


def _ignored(path: str, rules: Sequence[tuple[str, GitIgnoreSpec]]) -> bool:
    # The innermost file that says anything about it decides.
    for base, spec in reversed(rules):
        result = spec.check_file(path.removeprefix(base))
        if result.include is not None:
            return result.include
    return False


def content_hash(path: Path, found: Found) -> str | None:
    """A hash of the content, or of time and size where it is huge; None when it cannot be read now."""
    if found.size > _MOST_HASHED:
        return f"{found.mtime_ns}-{found.size}"
    try:
        # No link at the last moment, and no pipe that is waited for.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:20]
    except OSError:
        return None


def _too_many() -> StepError:
    return StepError(
        f"the folder has more than {_MOST_ENTRIES:,} entries",
        code="too_long",
        permanent=True,
        hint="watch a part of it, or leave parts out with `ignore:`",
    )
