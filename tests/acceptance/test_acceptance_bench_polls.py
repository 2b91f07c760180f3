"""The scenario of unchanged polls, small: it measures, and it would notice a run."""

from __future__ import annotations

from pathlib import Path

from bench import goals, ours, polls
from bench.figures import BY_NAME


def test_unchanged_polls_are_measured(tmp_path: Path) -> None:
    found = polls.unchanged(5, 1, 2.0, tmp_path / "work")
    assert found.keys() == {"polls_cpu", "polls_ms", "polls_rss"}
    assert all(value > 0 for value in found.values())
    assert found.keys() <= BY_NAME.keys()
    assert "polls_cpu" in goals.GOALS
    assert "polls" in ours.scenarios(ours.QUICK)
