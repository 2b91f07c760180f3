"""What a workspace holds, to compare before and after."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.rota import Rota, Said

FAKETIME = shutil.which("faketime")


def files_of(root: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of change of every file that is a person's: not what is in `.rota/`."""
    found = {}
    for folder, folders, names in os.walk(root):
        if folder == str(root):
            folders.remove(".rota")
        for name in names:
            path = Path(folder, name)
            found[path.relative_to(root).as_posix()] = (path.read_bytes(), path.stat().st_mtime_ns)
    return found


def differences(before: dict[str, tuple[bytes, int]], after: dict[str, tuple[bytes, int]]) -> list[str]:
    """The files that are new, gone, changed or merely written again."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def at(rota: Rota, moment: str, *args: str) -> Said:
    """A command, typed when the machine's clock (UTC) says `2026-11-22 20:00:00`."""
    done = subprocess.run(
        [str(FAKETIME), "-f", f"@{moment}", *rota.argv(*args)],
        env={**rota.environment(), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}, capture_output=True, text=True, check=False,
        timeout=90,
    )  # fmt: skip
    said = Said(done.returncode, done.stdout, done.stderr)
    assert said.code == 0, said
    return said
