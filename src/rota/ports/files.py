"""Files of a workspace: where a path may lead, and writes that a crash cannot leave half done."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from rota.model.errors import PathError, StepError

_PRIVATE = ("state.db", "secrets")  # beginnings of names in .rota: read and written by rota alone
_OUTPUT = ("jobs", "output")  # the one folder in .rota that steps write to


def resolve_inside(workspace: Path, text: str, *, purpose: str, reading: bool = False) -> Path:
    """The real path (symlinks followed) of `text`, which is relative to the workspace.

    `purpose` begins the message of an error: "`output:`". Raises PathError for an absolute path, `..`,
    `~`, NUL, a symlink that leads out and rota's own state; unless `reading`, also for what could
    make a file a program: `.git`, and `.rota` but for `.rota/jobs/output`.
    """
    if "\0" in text or not text.strip():
        raise PathError(f"{purpose} needs a path, not {text!r}", hint="name a file in the workspace")
    lexical = PurePosixPath(text)
    if lexical.is_absolute() or ".." in lexical.parts or lexical.parts[:1] == ("~",):
        raise PathError(
            f"{purpose} {text!r} leads out of the workspace",
            hint="paths are relative to the workspace, without `..`",
        )
    if not reading and (text.endswith("/") or not lexical.parts):
        raise PathError(f"{purpose} {text!r} names a folder", hint="name a file")
    try:
        root = workspace.resolve()
        target = (root / lexical).resolve()
        own = (root / ".rota").resolve()
        with contextlib.suppress(FileNotFoundError):
            target.stat()  # a loop of links, a name that is too long, a file where a folder should be
    except (OSError, RuntimeError, ValueError) as error:
        raise PathError(
            f"{purpose} {text[:80]!r} cannot be followed: {getattr(error, 'strerror', None) or error}",
            hint="look at the links and the folders on the way",
        ) from error
    if not target.is_relative_to(root):
        raise PathError(
            f"{purpose} {text!r} leads out of the workspace by a symbolic link",
            hint="replace the link by a folder, or work on a file inside the workspace",
        )
    views = [lexical.parts, target.relative_to(root).parts]
    if target.is_relative_to(own):
        views.append((".rota", *target.relative_to(own).parts))
    if any(_is_rotas_own(parts, reading) for parts in views):
        raise PathError(
            f"{purpose} {text!r} is not for steps to {'read' if reading else 'write'}",
            hint="jobs are changed by `rota add` and `rota edit`; output goes to the workspace's folders "
            "or to .rota/jobs/output",
        )
    return target


def _is_rotas_own(parts: tuple[str, ...], reading: bool) -> bool:
    # macOS and Windows shares take `.GIT` for `.git`.
    folded = tuple(part.casefold() for part in parts)
    if ".git" in folded and not reading:
        return True
    return any(
        rest[:1] and rest[0].startswith(_PRIVATE) if reading else rest[:2] != _OUTPUT
        for rest in _inside_rota(folded)
    )


def _inside_rota(folded: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for index, part in enumerate(folded):
        if part == ".rota":
            yield folded[index + 1 :]


def read_text(path: Path, limit: int, *, purpose: str) -> str:
    """The text of a regular file of at most `limit` bytes; raises PathError where it is not one."""
    try:
        if not path.is_file():
            raise PathError(f"{purpose} {path.name!r} is not a file", hint=f"looked for {path}")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise PathError(f"{purpose} {path.name!r} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise PathError(f"{purpose} {path.name!r} is longer than {limit} bytes")
    return data.decode("utf-8", "replace")


def write_atomic(path: Path, data: bytes) -> None:
    """Replace the file's content, so that a reader or a crash sees the old or the new one, never a part.

    Creates the parent folders and keeps the mode of a file that is there. Blocks until it is on disk.
    Raises PathError where something other than a file is there, StepError when the write fails.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data, _mode_of(path))
    except OSError as error:
        raise StepError(f"cannot write {path}: {error.strerror or error}", code="write_failed") from error


def append(path: Path, data: bytes) -> None:
    """Add to the end of the file, on a line of its own; creates it. Blocks until it is on disk.

    Raises as `write_atomic` does.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _mode_of(path)
        with path.open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                data = data if file.read(1) == b"\n" else b"\n" + data
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StepError(f"cannot write {path}: {error.strerror or error}", code="write_failed") from error


def _mode_of(path: Path) -> int | None:
    """The permissions of the file that is there, if one is."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise PathError(f"{path} is there and is not a file", hint="remove it, or choose another name")
    return stat.S_IMODE(mode)


def _replace(path: Path, data: bytes, mode: int | None) -> None:
    beside = path.parent / f".rota-{secrets.token_hex(6)}.tmp"
    # Not tempfile: its files are private (0600), and these are to get what the umask gives.
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # without it the rename itself can be lost with the power
    finally:
        os.close(folder)
