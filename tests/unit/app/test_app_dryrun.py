"""`rota test`: everything is rendered, nothing is run."""

from __future__ import annotations

import pytest
from tests.support.opened import Opened

from rota.app.dryrun import dry_run
from rota.model.errors import RotaError


def test_everything_is_rendered(opened: Opened) -> None:
    opened.job(
        "a",
        "params:\n  who: {required: true}\nsteps:\n"
        "  - id: first\n    run: echo {{ params.who }} > made.txt\n"
        "  - id: second\n    if: steps.first.output\n    write: notes/{{ today }}.md\n"
        "    content: 'of {{ steps.first.output }}, {{ steps.first.count }} items'\n",
    )
    first, second = dry_run(opened.app, "a", {"who": "Ann; rm -rf ~"})
    assert "Ann" not in first.config["run"], "a value is data, not code"
    assert "Ann; rm -rf ~" in first.config.values()
    assert second.config == {
        "write": "notes/2026-11-18.md",
        "content": "of <first.output>, <first.count> items",
    }
    assert second.condition == "steps.first.output"
    assert (first.problems, second.problems) == ((), ())
    assert not (opened.root / "made.txt").exists()


def test_what_would_fail_is_said(opened: Opened) -> None:
    opened.job("a", "params: [who]\nsteps:\n  - run: echo {{ params.who }}\n  - run: echo\n    cwd: /etc\n")
    first, second = dry_run(opened.app, "a", {})
    assert "has no `who`" in first.problems[0]
    assert second.problems == (
        "`cwd`: `cwd:` '/etc' leads out of the workspace (hint: paths are relative to the workspace, without `..`)",
    )


def test_parameters_are_checked_as_for_a_run(opened: Opened) -> None:
    opened.job("a", "params:\n  n: {type: integer, required: true}\nsteps:\n  - run: echo\n")
    with pytest.raises(RotaError, match="needs the parameter `n`"):
        dry_run(opened.app, "a", {})
    with pytest.raises(RotaError, match="expected integer"):
        dry_run(opened.app, "a", {"n": "x"})


def test_only_commands_are_shown_as_a_shell_would_get_them(opened: Opened) -> None:
    opened.job("a", "steps:\n  - agent: Plan {{ today }}\n")
    (step,) = dry_run(opened.app, "a", {})
    assert step.config == {"agent": "Plan 2026-11-18"}
