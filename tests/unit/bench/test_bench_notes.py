"""The notes of the bench are the same every time, and its scenario measures what the table shows."""

from __future__ import annotations

from pathlib import Path

from bench import notes, ours
from bench.figures import BY_NAME
from bench.goals import GOALS


def test_notes_are_the_same_every_time(tmp_path: Path) -> None:
    first = [file.read_text() for file in notes.write_notes(tmp_path / "a", 12)]
    again = [file.read_text() for file in notes.write_notes(tmp_path / "b", 12)]
    assert first == again
    assert len(set(first)) == 12
    assert all(250 < len(text.split()) < 350 for text in first)


def test_the_scenario_measures_the_figures_of_the_table(tmp_path: Path) -> None:
    measured = ours.measure(lambda folder: notes.index("10k", 30, 2, folder), tmp_path / "work")
    assert measured.keys() == {name for name in BY_NAME if name.startswith("index_")}
    assert measured.keys() <= GOALS.keys()
    assert all(value > 0 for value in measured.values())
    assert not (tmp_path / "work").exists()
