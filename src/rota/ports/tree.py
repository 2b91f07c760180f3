"""Walking a workspace: the files that patterns mean, without what leads out of it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from rota.model.globs import OWN, Glob, ignores, read_glob
from rota.model.looks import FileSign

# Beyond this size a file is known by its size and dates alone: to read it at every change would take too long.
MOST_READ = 64 * 1024 * 1024
_CHUNK = 1024 * 1024


def walk(root: Path, patterns: Iterable[str], ignore: Iterable[str] = ()) -> Iterator[tuple[str, FileSign]]:
    """The regular files below `root` (links resolved) that a pattern means and `ignore` does not, each once.

    Links to folders are not followed; a link to a file is, when the file is in the workspace and not rota's own.
    What cannot be read, or goes away meanwhile, is left out. Raises PathError for a pattern that cannot be read.
    """
    globs, left_out = [read_glob(pattern) for pattern in patterns], tuple(ignore)
    told: set[str] = set()
    for start in _starts(globs):
        for path, entry in _entries(root, start, globs, left_out):
            if path in told or not any(glob.matches(path) for glob in globs):
                continue
            told.add(path)
            sign = sign_of(root, path, entry)
            if sign is not None:
                yield path, sign


def _starts(globs: Iterable[Glob]) -> list[str]:
    """The folders to begin with: none is below another."""
    roots = sorted({glob.root for glob in globs}, key=len)
    found: list[str] = []
    for root in roots:
        if any(above in {"", root} or root.startswith(f"{above}/") for above in found):
            continue
        found.append(root)
    return found


def _entries(
    root: Path, start: str, globs: list[Glob], ignore: tuple[str, ...]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    if start and not _is_plain_way(root, start):
        return
    todo = [start]
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(root / folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.casefold() in OWN or (ignore and ignores(ignore, path)):
                continue
            if entry.is_dir(follow_symlinks=False):
                if any(_reaches(glob, path) for glob in globs):
                    todo.append(path)
            else:
                yield path, entry


def _is_plain_way(root: Path, start: str) -> bool:
    """Whether no name on the way to a folder is a link: those are not followed, here as little as further down."""
    place = root
    for name in start.split("/"):
        place /= name
        if place.is_symlink():
            return False
    return True


def _reaches(glob: Glob, folder: str) -> bool:
    """Whether the pattern can mean something in that folder."""
    if glob.root and not (
        f"{folder}/".startswith(f"{glob.root}/") or f"{glob.root}/".startswith(f"{folder}/")
    ):
        return False
    below = folder.count("/") + 1 - (glob.root.count("/") + 1 if glob.root else 0)
    return glob.depth is None or below < glob.depth


def sign_of(root: Path, path: str, entry: os.DirEntry[str] | None = None) -> FileSign | None:
    """The file as it is now; None where it is no regular file of the workspace."""
    place = root / path
    try:
        if (entry.is_symlink() if entry is not None else place.is_symlink()) and not _stays_inside(
            root, place
        ):
            return None
        found = place.stat()
    except (OSError, RuntimeError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return FileSign(found.st_size, found.st_mtime_ns // 1000, found.st_ctime_ns // 1000, found.st_ino)


def _stays_inside(root: Path, link: Path) -> bool:
    target = link.resolve()
    if not target.is_relative_to(root):
        return False
    return not any(part.casefold() in OWN for part in target.relative_to(root).parts)


def digest_of(root: Path, path: str, sign: FileSign) -> str | None:
    """16 hex digits of the content's SHA-256 (of size and date, where it is very long).

    None when the file cannot be read, or is not as `sign` says, before and after.
    """
    if sign.size > MOST_READ:
        return hashlib.sha256(f"{sign.size} {sign.modified}".encode()).hexdigest()[:16]
    summed = hashlib.sha256()
    try:
        with (root / path).open("rb") as file:
            while chunk := file.read(_CHUNK):
                summed.update(chunk)
    except OSError:
        return None
    return summed.hexdigest()[:16] if sign_of(root, path) == sign else None
