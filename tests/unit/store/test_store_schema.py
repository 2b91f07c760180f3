from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from rota.model.errors import StoreError
from rota.model.ledger import Outcome
from rota.model.run import RunState
from rota.ports.store import Store
from rota.store import db, migrate, open_store
from rota.store.schema import metadata

FIXTURES = Path(__file__).parent / "fixtures"


def statements(connection: sqlite3.Connection) -> set[str]:
    """The SQL of every table and index, with one space between words."""
    rows = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT IN ('alembic_version', 'sqlite_sequence')"
    )
    return {
        re.sub(r"\s+", " ", sql).replace("( ", "(").replace(" )", ")").replace('"', "") for (sql,) in rows
    }


def test_the_schema_is_the_sum_of_the_migrations(path: Path, tmp_path: Path, store: Store) -> None:
    declared = tmp_path / "declared.db"
    metadata.create_all(create_engine(f"sqlite:///{declared}"))
    with sqlite3.connect(path) as one, sqlite3.connect(declared) as other:
        assert statements(one) == statements(other)
        assert all("STRICT" in sql for sql in statements(one) if sql.startswith("CREATE TABLE"))
        assert any(" WHERE state = 'queued'" in sql for sql in statements(one))
    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_head_of_the_migrations_is_what_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", "rota.store:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


@pytest.mark.parametrize("fixture", sorted(FIXTURES.glob("*.sql")), ids=lambda path: path.stem)
def test_an_earlier_state_opens_with_everything_in_it(
    fixture: Path, path: Path, open_one: Callable[..., Store]
) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(fixture.read_text())
    store = open_one()
    (job,) = store.read(lambda tx: tx.jobs.all())
    (run,) = store.read(lambda tx: tx.runs.recent())
    (occurrence,) = store.read(lambda tx: tx.ledger.of("standup"))
    (trigger,) = store.read(lambda tx: tx.triggers.due(10**18, 10))
    (step,) = store.read(lambda tx: tx.runs.steps(run.id))
    (attempt,) = store.read(lambda tx: tx.runs.attempts(run.id))
    assert (job.id, job.definition) == ("standup", '{"id":"standup"}')
    assert (run.job_id, run.state, run.outputs) == ("standup", RunState.SUCCEEDED, {"ok": True})
    assert (occurrence.run_id, occurrence.outcome) == (run.id, Outcome.RAN)
    assert (trigger.text, step.output, attempt.exit_code) == ("0 8 * * 1-5", "done", 0)
    assert [message.body for message in store.read(lambda tx: tx.outbox.recent())] == ["Draft ready"]
    assert [approval.answer for approval in store.read(lambda tx: tx.approvals.of(run.id))] == ["yes"]
    assert [event.kind for event in store.read(lambda tx: tx.events.after(0))] == ["run_finished"]
    assert store.read(lambda tx: tx.cursors.get("rss")) == {"etag": "x"}
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (migrate.HEAD,)


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(config: Config, revision: str) -> None:
        connection = config.attributes["connection"]
        connection.exec_driver_sql("CREATE TABLE half (x INTEGER) STRICT")
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")

    monkeypatch.setattr(command, "upgrade", fail)
    with pytest.raises(StoreError, match="no such table: nowhere"):
        open_store(path)
    with sqlite3.connect(path) as connection:
        assert statements(connection) == set()


def test_upgrading_what_is_current_changes_nothing(path: Path, store: Store) -> None:
    version = store.version()
    migrate.upgrade(db.Database(path))
    assert store.version() == version
