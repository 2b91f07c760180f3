"""In which order tests run, and whose child processes are measured."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

# Tests that start processes, and wait for them.
SLOW = frozenset({"acceptance", "conformance", "faults"})
# Of those the files whose children tell coverage of their lines. To measure takes half as long again as what is measured,
# and the lines of the others are tried by these, or by unit tests; what is killed tells nothing anyway.
MEASURED = {
    "acceptance": frozenset({
        "approvals", "board", "channels", "cli_agents", "cli_evidence", "cli_mistakes", "cli_output", "cli_pauses",
        "cli_run", "cli_secrets", "cli_simulate", "cli_sources", "cli_tick", "cli_why", "daemon_messages",
        "daemon_reload", "inbox", "mcp", "polling", "webhooks",
    }),
    "conformance": frozenset({"runners", "sources", "steps"}),
    "faults": frozenset({
        "evidence", "hosts", "hosts_death", "hosts_limits", "limits", "notes", "output", "processes", "proposals",
        "service", "shutdown", "spawner", "webhooks",
    }),
}  # fmt: skip


def _folder(item: pytest.Item) -> str:
    return item.path.parent.name


def _in_turns(items: list[pytest.Item], workers: int) -> Iterator[pytest.Item]:
    """For each worker a part that begins with slow tests and ends with quick ones, which are shared out at the end."""
    files: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.path].append(item)
    slow = [tests for tests in files.values() if _folder(tests[0]) in SLOW]
    quick = [tests for tests in files.values() if _folder(tests[0]) not in SLOW]
    for worker in range(workers):
        yield from chain.from_iterable((*slow[worker::workers], *quick[worker::workers]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A worker is given tests that stand side by side, and takes from the ends of others when it has none."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = list(_in_turns(items, workers))


@pytest.fixture(autouse=True, scope="module")
def _some_children_are_not_measured(request: pytest.FixtureRequest) -> Iterator[None]:
    folder = request.path.parent.name
    measured = MEASURED.get(folder)
    with pytest.MonkeyPatch.context() as patch:
        if measured is not None and request.path.stem.removeprefix(f"test_{folder}_") not in measured:
            for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
                patch.delenv(name, raising=False)
        yield
