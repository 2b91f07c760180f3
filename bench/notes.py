"""The index of a large workspace: made, made again after a change, and searched; by the real commands."""

from __future__ import annotations

import os
import random
import subprocess
import time
from itertools import accumulate
from pathlib import Path

from bench.workspace import Bench

# Words fall off as in a language: the n-th is 1/n as common as the first.
VOCABULARY = 20_000
QUESTIONS = ("project planning", "word17 word203", '"word5 word9"', "word4000", "word1 word2 word3")


def write_notes(root: Path, count: int) -> list[Path]:
    """Notes of some 300 words below a few headings, a hundred in a folder; the same ones every time."""
    chance = random.Random(20_26)  # repeatable is what it is to be
    words = [f"word{n}" for n in range(VOCABULARY)] + ["project", "planning"]
    weights = list(accumulate([1 / (n + 1) for n in range(VOCABULARY)] + [0.002, 0.002]))
    made = []
    for number in range(count):
        file = (
            root
            / "notes"
            / f"{number // 100:03}"
            / f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}-{number}.md"
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"# Note {number}", ""]
        for section in range(4):
            lines += [f"## Part {section}", "", *_lines(chance.choices(words, cum_weights=weights, k=75)), ""]
        file.write_text("\n".join(lines))
        made.append(file)
    return made


def _lines(words: list[str]) -> list[str]:
    return [" ".join(words[begin : begin + 12]) for begin in range(0, len(words), 12)]


def index(label: str, count: int, questions: int, folder: Path) -> dict[str, float]:
    """Seconds of the commands, and the most memory that indexing held."""
    bench = Bench(folder)
    made = write_notes(bench.root, count)
    seconds, memory = _command(bench, "index")
    _age(made)
    bench.rota("index")
    for file in made[:: max(1, count // 10)][:10]:
        file.write_text(file.read_text() + "\nA line more, about project planning.\n")
    again = bench.rota("index")
    asked = [bench.rota("search", QUESTIONS[n % len(QUESTIONS)]) for n in range(questions)]
    context = [
        bench.rota("context", "--for", QUESTIONS[n % len(QUESTIONS)]) for n in range(max(1, questions // 2))
    ]
    return {
        f"index_{label}": seconds,
        f"index_{label}_rss": memory,
        f"index_{label}_again": again,
        f"index_{label}_search": _median(asked),
        f"index_{label}_context": _median(context),
    }


def _age(files: list[Path]) -> None:
    """Notes that were written a while ago: what is younger than two seconds is read again to be sure."""
    then = time.time() - 3600
    for file in files:
        os.utime(file, (then, then))


def _command(bench: Bench, *args: str) -> tuple[float, float]:
    """Seconds of a command, and the most MB that it held."""
    start = time.perf_counter()
    process = subprocess.Popen(
        bench.argv(*args), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=bench.root
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"rota {' '.join(args)} ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1e3


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
