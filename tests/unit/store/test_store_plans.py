"""What is asked often must be found through an index, however full the tables are."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from rota.ports.store import Store
from rota.store import approvals, events, jobs, ledger, outbox, run_queries, runs, steps, triggers
from rota.store.sql import Statement

ROOMS = (approvals, events, jobs, ledger, outbox, run_queries, runs, steps, triggers)

PLANS = [
    (triggers.DUE, "triggers_due"),
    (triggers.NEXT_DUE, "triggers_due"),
    (run_queries.QUEUED, "runs_queued"),
    (run_queries.AWAKE, "runs_waiting"),
    (run_queries.NEXT_WAKE, "runs_waiting"),
    (run_queries.RUNNING_OF, "runs_running"),
    (run_queries.RUNNING_GROUPS, "runs_running"),
    (run_queries.RENEW, "runs_running"),
    (run_queries.CANCEL_REQUESTS, "runs_running"),
    (run_queries.ACTIVE, "runs_active"),
    (run_queries.LATEST, "runs_by_job"),
    (run_queries.PREVIOUS, "runs_by_job"),
    (run_queries.FAILURES_IN_A_ROW, "runs_by_job"),
    (run_queries.TO_PRUNE, "runs_by_job"),
    (run_queries.recent(None, None, None), "runs_by_time"),
    (run_queries.recent("j", None, None), "runs_by_job"),
    (ledger.LATEST, "occurrences_by_due"),
    (ledger.SPANNING, "occurrences_stretches"),
    (ledger.SETTLE, "occurrences_of_run"),
    (outbox.DUE, "outbox_pending"),
    (outbox.NEXT_DUE, "outbox_pending"),
    (outbox.REOPEN, "outbox_sending"),
    (outbox.RECENT, "outbox_by_time"),
    (outbox.RECENT_OF_RUN, "outbox_by_run"),
    (approvals.OPEN, "approvals_open"),
    (events.AFTER, "INTEGER PRIMARY KEY"),
    (events.AFTER_OF_JOB, "events_by_job"),
]


def plan(path: Path, statement: Statement) -> list[str]:
    text = statement.text
    with sqlite3.connect(path) as connection:
        names = dict.fromkeys(re.findall(r":(\w+)", text), 1)
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", names)]


@pytest.mark.parametrize(
    ("statement", "index"), PLANS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_index_is_used(path: Path, store: Store, statement: Statement, index: str) -> None:
    assert any(index in line for line in plan(path, statement)), plan(path, statement)


def test_what_wakes_the_loops_is_read_in_the_order_of_its_index(path: Path, store: Store) -> None:
    for statement in (
        triggers.DUE,
        triggers.NEXT_DUE,
        run_queries.QUEUED,
        run_queries.NEXT_WAKE,
        outbox.NEXT_DUE,
    ):
        assert not [line for line in plan(path, statement) if "TEMP B-TREE" in line]


def test_nothing_scans_a_table(path: Path, store: Store) -> None:
    statements = {
        f"{room.__name__}.{name}": value
        for room in ROOMS
        for name, value in vars(room).items()
        if isinstance(value, Statement)
    }
    assert len(statements) > 50
    for name, statement in statements.items():
        assert not [line for line in plan(path, statement) if scans(line)], name


def scans(line: str) -> bool:
    # Of a subquery's few rows, or of the oldest events, which are the beginning of their table.
    return line.startswith("SCAN") and not re.match(r"SCAN (CONSTANT|ranked|\(?subquery|events$)", line)
