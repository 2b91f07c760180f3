"""Job files on disk: which there are, whether they changed, what they say."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from rota.workspace.layout import Layout

SUFFIXES = frozenset({".yaml", ".yml", ".json", ".md", ".py"})
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class JobFile:
    """A job file as it is now. `stamp` changes whenever its content may have. `hook`: a webhook's job."""

    path: str
    stamp: str
    hook: bool


def scan(layout: Layout) -> list[JobFile]:
    """Every job file, by path. Hidden files, editors' leavings and `jobs/output/` are not job files."""
    found = [_file(layout, path, hook=False) for path in _candidates(layout.jobs)]
    found += [_file(layout, path, hook=True) for path in _candidates(layout.hooks) if path.suffix != ".py"]
    return sorted((file for file in found if file is not None), key=lambda f: f.path)


def read(layout: Layout, file: JobFile) -> str:
    """The text of a job file, undecodable bytes replaced. Raises OSError."""
    path = layout.root / file.path
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(mode):  # to open a pipe would be to wait for whoever writes into it
        raise OSError(errno.EINVAL, "it is not an ordinary file", str(path))
    with path.open("rb") as handle:
        return handle.read(MAX_BYTES + 1).decode("utf-8-sig", "replace")


def _candidates(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 # one call, no stat of each entry
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        folder / name
        for name in names
        if not name.startswith((".", "_", "#"))
        and name.lower() != "readme.md"
        and Path(name).suffix.lower() in SUFFIXES
    ]


def _file(layout: Layout, path: Path, *, hook: bool) -> JobFile | None:
    try:
        status = path.stat()
    except OSError:
        try:
            status = path.lstat()  # a link that leads nowhere or in a circle: to be shown, not passed over
        except OSError:
            return None  # gone between listing and looking
    return JobFile(layout.relative(path), _stamp(status), hook)


def stamp_of(path: Path) -> str:
    """What changes whenever the file's content may have; empty where there is none."""
    try:
        return _stamp(path.stat())
    except OSError:
        return ""


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
