"""Commands start quickly: they import what they need, and what takes long they hardly ever need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.rota import Rota, new_workspace

HEAVY = {
    "sqlalchemy",
    "alembic",
    "pydantic",
    "jinja2",
    "structlog",
    "apprise",
    "icalendar",
    "asyncio",
    "httpx",
}


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Rota:
    """A workspace with a job that has run."""
    with new_workspace(tmp_path_factory.mktemp("start") / "work") as rota:
        rota.quick("add", "j", "--schedule", "hourly", "--run", "echo hi")
        rota("run", "j", "--wait")
        return rota


def imported(rota: Rota, *args: str) -> set[str]:
    """The heavy ones among the modules that a command imports."""
    command = [sys.executable, "-X", "importtime", *rota.argv(*args)[1:]]
    ended = subprocess.run(
        command, capture_output=True, text=True, env=rota.environment(), check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr[-1000:]
    modules = {line.rsplit("|")[-1].strip() for line in ended.stderr.splitlines() if "import time:" in line}
    assert "rota.cli.main" in modules
    return modules & HEAVY


@pytest.mark.parametrize("command", ["--help", "list", "show j", "history j", "logs j", "why j", "status"])
def test_what_only_reads_imports_nothing_heavy(used: Rota, command: str) -> None:
    assert imported(used, *command.split()) == set()


def test_pausing_and_resuming_import_nothing_heavy(used: Rota) -> None:
    assert imported(used, "pause", "j") == set()
    assert imported(used, "resume", "j") == set()


def test_cancelling_does_without_the_database_toolkit(used: Rota) -> None:
    used.quick("add", "asks", "--schedule", "manual", "--prompt", "Which one?")
    used("run", "asks", "--wait")
    assert imported(used, "cancel", "asks") <= {"structlog", "jinja2"}
    assert "cancelled" in used("history", "asks").out


def test_git_does_not_see_what_makes_it_quick(used: Rota, tmp_path: Path) -> None:
    used.write(".rota/cache/statements", "texts")
    subprocess.run(["git", "init", "-q", str(used.root)], check=True, timeout=60)
    seen = subprocess.run(
        ["git", "-C", str(used.root), "status", "--porcelain", "-uall"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ".rota/jobs/j" in seen.stdout
    assert "cache" not in seen.stdout
