"""A sandbox around a client that has none: bubblewrap, with the whole system to be read and little to be written."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from rota.model.errors import PathError
from rota.model.globs import read_glob

_HIDDEN = ("secrets.json", "state.db", "state.db-wal", "state.db-shm")
_PATIENCE = 10.0


@lru_cache(maxsize=4)
def bubblewrap(search: str | None) -> Path | None:
    """Where bubblewrap is, if it works here: in some containers it may not make what it needs."""
    found = shutil.which("bwrap", path=search)
    if found is None:
        return None
    try:
        tried = subprocess.run(
            [found, "--ro-bind", "/", "/", "--dev", "/dev", "true"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(found) if tried.returncode == 0 else None


def sandboxed(
    argv: Sequence[str], program: Path, workspace: Path, *, write: Iterable[str], own: Iterable[Path]
) -> list[str]:
    """The command line in a sandbox: all is read-only but `own` folders and what the patterns of `write` begin with.

    The workspace's secrets and state are not to be seen. The network is open: the client has to reach its model.
    """
    found = [str(program), "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for place in [*writable(workspace, write), *own]:
        found += ["--bind", str(place), str(place)]
    for name in _HIDDEN:  # last: what is bound later lies on top
        hidden = workspace / ".rota" / name
        if hidden.exists():
            found += ["--ro-bind", "/dev/null", str(hidden)]
    return [*found, "--chdir", str(workspace), "--", *argv]


def writable(workspace: Path, patterns: Iterable[str]) -> list[Path]:
    """The folders (made where they are missing) and files that the patterns begin with, inside the workspace."""
    places: list[Path] = []
    for pattern in patterns:
        try:
            glob = read_glob(pattern)
        except PathError:
            continue  # it allows nothing either
        place = (workspace / glob.root).resolve() if glob.root else workspace
        whole = workspace / pattern
        if whole.is_file() and not whole.is_symlink():
            place = whole
        if not place.is_relative_to(workspace):
            continue
        if not place.exists():
            place.mkdir(parents=True, exist_ok=True)
        places.append(place)
    return list(dict.fromkeys(places))
