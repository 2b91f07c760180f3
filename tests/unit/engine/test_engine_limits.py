"""Limits of commands: what is asked of control groups, what is watched elsewhere, and what a person reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rota.engine import limits
from rota.engine.cgroups import Group
from rota.engine.limits import Caps, overrun
from rota.engine.process_table import Proc, proportion, resident
from rota.model.job import ProcessLimits
from rota.model.run import Reason
from rota.ports.commands import CommandResult
from rota.ports.processes import Exit

MB = 1_000_000


def test_a_control_group_is_asked_for_hard_limits(tmp_path: Path) -> None:
    Group(tmp_path).cap(Caps(memory=512 * MB, processes=64, open_files=100))
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {
        "memory.max": "512000000",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "64",
    }


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.events": "low 0\nmax 5\noom 1\noom_kill 1\n", "pids.events": "max 3\n"}, "memory"),
        ({"memory.events": "oom_kill 0\n", "pids.events": "max 3\n"}, "processes"),
        ({"memory.events": "oom_kill 0\n", "pids.events": "max 0\n"}, None),
        ({}, None),
    ],
)
def test_a_control_group_tells_what_was_run_into(
    tmp_path: Path, files: dict[str, str], limit: str | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert Group(tmp_path).overrun() == limit


@pytest.mark.parametrize(
    ("caps", "limit"),
    [
        (Caps(), None),
        (Caps(processes=3, memory=150 * MB), None),  # 3 × 100 MB, but two thirds of it are shared
        (Caps(processes=2), "processes"),
        (Caps(memory=99 * MB), "memory"),
    ],
)
def test_what_processes_share_counts_once(
    monkeypatch: pytest.MonkeyPatch, caps: Caps, limit: str | None
) -> None:
    monkeypatch.setattr(limits, "resident", lambda _pid: 100 * MB)
    monkeypatch.setattr(limits, "proportion", lambda _pid: 40 * MB)
    members = [Proc(pid, 1, pid, pid, 1, dead=False) for pid in (10, 11, 12)]
    assert overrun(members, caps) == limit


def test_the_memory_of_this_process_is_known() -> None:
    assert 0 < proportion(os.getpid()) <= resident(os.getpid()) * 2


@pytest.mark.parametrize(
    ("end", "caps", "reason"),
    [
        (Exit(None, 9, "memory"), ProcessLimits(memory=512 * MB), "limit: out of memory (512 MB)"),
        (Exit(137, None, "memory"), ProcessLimits(memory=2_500 * MB), "limit: out of memory (2.5 GB)"),
        (
            Exit(1, None, "processes"),
            ProcessLimits(processes=64),
            "limit: too many processes (more than 64)",
        ),
    ],
)
def test_a_command_that_was_ended_by_its_limit_says_so(end: Exit, caps: ProcessLimits, reason: str) -> None:
    failure = CommandResult(end, "so far", complete=True, last_line="Killed", limits=caps).failure()
    assert failure is not None
    assert failure.reason == Reason("limit", reason)
    assert failure.output == "so far"


def test_one_that_coped_with_its_limit_has_succeeded() -> None:
    end = Exit(0, None, "processes")
    assert (
        CommandResult(end, "", complete=True, last_line="", limits=ProcessLimits(processes=2)).failure()
        is None
    )
