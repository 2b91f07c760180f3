"""kill -9 while notes are written: every file is whole, none is taken for a person's, and the next pull goes on."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from rota.sources.note_text import Note
from rota.sources.notes import Notes

KILLS = 12
WRITER = """
import sys
from itertools import count
from pathlib import Path
from rota.sources.note_text import Note
from rota.sources.notes import Notes

with Notes(Path(sys.argv[1]), "notion") as notes:
    for number in count():
        for name in "abc":
            title = f"Page {name}{number % 3}"  # the file moves as well
            notes.write(Note(name, title, f"begin {sys.argv[2]} {number}\\n" + "x" * 20_000 + "\\nend"))
        print(number, flush=True)
"""


def killed_at_some_moment(workspace: Path, life: int, chance: random.Random) -> None:
    """A process that writes, and dies some milliseconds after its first round."""
    argv = [sys.executable, "-c", WRITER, str(workspace), str(life)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "0\n"
            time.sleep(chance.uniform(0.0, 0.03))
        finally:
            process.kill()


def test_a_writer_that_is_killed_leaves_whole_files_and_no_conflicts(tmp_path: Path) -> None:
    chance = random.Random(7)
    for life in range(KILLS):
        killed_at_some_moment(tmp_path, life, chance)
        for path in (tmp_path / "resources/notion").glob("*.md"):
            text = path.read_text()
            assert text.startswith("---\ntitle: Page ")
            assert text.endswith("\nend\n")
    with Notes(tmp_path, "notion") as notes:
        for name in "abc":
            notes.write(Note(name, f"Last {name}", "The last word."))
    assert (notes.conflicts, notes.remarks) == ([], [])
    names = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "resources/notion").glob("*.md"))
    assert names == ["last-a", "last-b", "last-c"]
