"""Large states, made in SQL: a million rows through the verbs of the store would take minutes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_SERIES = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)"
_FAR = 4_000_000_000_000_000  # microseconds: the year 2096


def schedules(state: Path, like: str, count: int) -> None:
    """So many copies of the job `like`, each with a time trigger that is due in the far future."""
    _insert(
        state,
        "jobs",
        like,
        count,
        {
            "id": "'later-' || i",
            "name": "'later ' || i",
            "path": "NULL",
            "origin": "'store'",
            "paused_at": "NULL",
            "paused_reason": "NULL",
        },
    )
    columns = "workspace_id, job_id, trigger_id, kind, text, timezone, anchor, since, next_due, active"
    row = f"workspace_id, 'later-' || i, 'cron', 'cron', '0 0 1 1 *', 'UTC', NULL, created_at, {_FAR} + i, 1"
    _run(
        state,
        f"INSERT INTO triggers ({columns}) {_SERIES} SELECT {row} FROM n, jobs WHERE id = :like",
        like,
        count,
    )


def runs(state: Path, like: str, jobs: int, count: int) -> None:
    """So many past runs, of `jobs` copies of the job that the finished run `like` belongs to, each with its
    occurrence, step, attempt and events, copied from that run."""
    job = _one(state, "SELECT job_id FROM runs WHERE id = :like", like)
    _insert(
        state,
        "jobs",
        job,
        jobs,
        {"id": "'past-' || i", "name": "'past ' || i", "path": "NULL", "origin": "'store'"},
    )
    # A second apart, up to now; ids sort as the real ones do.
    moment = "(SELECT max(queued_at) FROM runs WHERE id = :like) - (:count - i) * 1000000"
    run_id, job_id = "printf('00PAST%020d', i)", f"'past-' || (i % {jobs})"
    own = {"id": run_id, "job_id": job_id, "queued_at": moment, "due_at": moment, "started_at": moment,
           "finished_at": moment, "occurrence_key": "'past-' || i"}  # fmt: skip
    _insert(state, "runs", like, count, own)
    _insert(
        state,
        "steps",
        like,
        count,
        {"run_id": run_id, "started_at": moment, "finished_at": moment},
        key="run_id",
    )
    _insert(
        state,
        "attempts",
        like,
        count,
        {"run_id": run_id, "started_at": moment, "finished_at": moment},
        key="run_id",
    )
    own = {"key": "'past-' || i", "job_id": job_id, "run_id": run_id, "due_at": moment, "noticed_at": moment}
    _insert(state, "occurrences", like, count, own, key="run_id")


def _insert(state: Path, table: str, like: str, count: int, own: dict[str, str], key: str = "id") -> None:
    """`count` copies of the row whose `key` is `like`, with columns of their own (SQL over the number i)."""
    names = [str(row[1]) for row in _rows(state, f"PRAGMA table_info({table})")]
    values = ", ".join(own.get(name, f"t.{name}") for name in names)
    text = f"INSERT INTO {table} ({', '.join(names)}) {_SERIES} SELECT {values} FROM n, {table} AS t WHERE t.{key} = :like"
    _run(state, text, like, count)


def _run(state: Path, text: str, like: str, count: int) -> None:
    db = sqlite3.connect(state, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous=OFF")  # of this connection alone: the state is made, not measured
        db.execute("BEGIN")
        db.execute(text, {"like": like, "count": count})
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()


def _rows(state: Path, text: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(state)
    try:
        return db.execute(text).fetchall()
    finally:
        db.close()


def _one(state: Path, text: str, like: str) -> str:
    db = sqlite3.connect(state)
    try:
        return str(db.execute(text, {"like": like}).fetchone()[0])
    finally:
        db.close()
