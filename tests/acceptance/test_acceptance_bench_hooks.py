"""The scenario of webhooks, small: it measures, and it would notice an answer for what is not on disk."""

from __future__ import annotations

from pathlib import Path

from bench import goals, hooks, ours
from bench.figures import BY_NAME


def test_webhooks_are_measured(tmp_path: Path) -> None:
    found = hooks.hooks(100, 1.0, tmp_path / "work")
    assert found.keys() == {"hook_posts", "hook_p50", "hook_p99"}
    assert 0 < found["hook_p50"] <= found["hook_p99"]
    assert found["hook_posts"] > 0
    assert found.keys() <= BY_NAME.keys()
    assert "hook_posts" in goals.GOALS
    assert "hooks" in ours.scenarios(ours.QUICK)
