"""What is asked often must be found through an index, however full the tables are."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from rota.ports.store import Store
from rota.store import (
    approval_queries,
    card_queries,
    event_queries,
    ledger_queries,
    outbox_queries,
    run_queries,
    session_queries,
    spend_queries,
    statements,
    trigger_queries,
)
from rota.store.statements import Sql, Statement

PLANS = [
    (trigger_queries.DUE, "triggers_due"),
    (trigger_queries.NEXT_DUE, "triggers_due"),
    (run_queries.QUEUED, "runs_queued"),
    (run_queries.AWAKE, "runs_waiting"),
    (run_queries.NEXT_WAKE, "runs_waiting"),
    (run_queries.RUNNING_OF, "runs_running"),
    (run_queries.RUNNING_GROUPS, "runs_running"),
    (run_queries.RENEW, "runs_running"),
    (run_queries.CANCEL_REQUESTS, "runs_running"),
    (run_queries.TO_END, "runs_waiting"),
    (run_queries.ACTIVE, "runs_active"),
    (run_queries.LATEST, "runs_by_job"),
    (run_queries.PREVIOUS, "runs_by_job"),
    (run_queries.LENGTHS, "runs_by_job"),
    (run_queries.FAILURES_IN_A_ROW, "runs_by_job"),
    (run_queries.OUTDATED, "runs_by_job"),
    (run_queries.RECENT, "runs_by_time"),
    (run_queries.RECENT_IN, "runs_by_time"),
    (run_queries.RECENT_OF, "runs_by_job"),
    (run_queries.RECENT_OF_IN, "runs_by_job"),
    (run_queries.RECENT_ACTIVE_IN, "runs_active"),
    (run_queries.OLDEST, "runs_by_time"),
    (ledger_queries.LATEST, "occurrences_by_due"),
    (ledger_queries.REACHING_BACK, "occurrences_by_due"),
    (ledger_queries.SPANNING, "occurrences_stretches"),
    (ledger_queries.BETWEEN, "occurrences_by_due"),
    (ledger_queries.REACHING_INTO, "occurrences_stretches"),
    (ledger_queries.SETTLE, "occurrences_of_run"),
    (outbox_queries.DUE, "outbox_pending"),
    (outbox_queries.NEXT_DUE, "outbox_pending"),
    (outbox_queries.REOPEN, "outbox_sending"),
    (outbox_queries.RECENT, "outbox_by_time"),
    (outbox_queries.RECENT_OF_RUN, "outbox_by_run"),
    (approval_queries.OPEN, "approvals_open"),
    (approval_queries.EXPIRED, "approvals_expiring"),
    (approval_queries.NEXT_EXPIRY, "approvals_expiring"),
    (card_queries.OPEN, "cards_open"),
    (card_queries.COUNT_OPEN, "cards_open"),
    (card_queries.POSITIONS, "cards_open"),
    (card_queries.ARCHIVED, "cards_archived"),
    (card_queries.COUNT_ARCHIVED, "cards_archived"),
    (card_queries.WITH_KEY, "cards_by_key"),
    (spend_queries.USED_OF_JOB, "spend_by_job"),
    (spend_queries.USED_OF_ALL, "spend_by_time"),
    (spend_queries.USED_OF_RUN, "sqlite_autoindex_spend_1"),
    (spend_queries.BY_QUARTER, "spend_by_time"),
    (spend_queries.USUAL, "accounts_by_step"),
    (spend_queries.AT_WORK, "accounts_open"),
    (spend_queries.PRUNE, "spend_by_time"),
    (session_queries.PRUNE, "sessions_kept"),
    (event_queries.AFTER, "INTEGER PRIMARY KEY"),
    (event_queries.AFTER_OF_JOB, "events_by_job"),
]


def plan(path: Path, statement: Statement | Sql) -> list[str]:
    columns = len(re.findall(r"column\d+ AS ", statement.text))
    text = statement.text.replace("VALUES :rows", f"VALUES ({', '.join('1' * columns)})")
    with sqlite3.connect(path) as connection:
        names = dict.fromkeys(re.findall(r":(\w+)", text), 1)
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", names)]


@pytest.mark.parametrize(
    ("statement", "index"), PLANS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_index_is_used(path: Path, store: Store, statement: Statement, index: str) -> None:
    assert any(index in line for line in plan(path, statement)), plan(path, statement)


def test_what_is_asked_most_is_read_in_the_order_of_its_index(path: Path, store: Store) -> None:
    for statement in (
        trigger_queries.DUE,
        trigger_queries.NEXT_DUE,
        run_queries.QUEUED,
        run_queries.NEXT_WAKE,
        outbox_queries.NEXT_DUE,
        run_queries.RECENT,
        run_queries.RECENT_IN,
        run_queries.RECENT_OF,
        run_queries.RECENT_OF_IN,
    ):
        assert not [line for line in plan(path, statement) if "TEMP B-TREE" in line]


def test_nothing_scans_a_table(path: Path, store: Store) -> None:
    every = statements.compile_all()
    assert len(every) > 100
    for name, sql in every.items():
        assert not [line for line in plan(path, sql) if scans(line)], name


def scans(line: str) -> bool:
    # Of a subquery's few rows, or of the oldest events, which are the beginning of their table, or of
    # the rows (and the workspace) that came as parameters, or of the jobs that have runs.
    few = r"SCAN (CONSTANT|ranked|\(?subquery|events$|j$|here$|job$|\w+ VIRTUAL TABLE)"
    return line.startswith("SCAN") and not re.match(few, line)
