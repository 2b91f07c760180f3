from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from scripts.keep_schema import script
from sqlalchemy import create_engine

from rota.model.errors import StoreError
from rota.ports.store import Store
from rota.store import db, fresh, migrate, open_store, schema, schema_agents  # noqa: F401 # the last two declare tables
from rota.store.columns import metadata


def statements(connection: sqlite3.Connection) -> set[str]:
    """The SQL of every table and index, with one space between words."""
    rows = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT IN ('alembic_version', 'sqlite_sequence')"
    )
    return {
        re.sub(r"\s+", " ", sql).replace("( ", "(").replace(" )", ")").replace('"', "") for (sql,) in rows
    }


def test_the_schema_is_the_sum_of_the_migrations(path: Path, tmp_path: Path) -> None:
    migrate.upgrade(db.Database(path))
    declared = tmp_path / "declared.db"
    metadata.create_all(create_engine(f"sqlite:///{declared}"))
    with sqlite3.connect(path) as one, sqlite3.connect(declared) as other:
        assert statements(one) == statements(other)
        assert all("STRICT" in sql for sql in statements(one) if sql.startswith("CREATE TABLE"))
        assert any(" WHERE state = 'queued'" in sql for sql in statements(one))
    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_new_state_is_made_as_the_migrations_would(path: Path, tmp_path: Path) -> None:
    """`python -m scripts.keep_schema` writes the script that makes it."""
    migrated = tmp_path / "migrated.db"
    assert fresh.SCRIPT.read_text("utf-8") == script(migrated)
    open_store(path).close()
    dumps = []
    for file in (path, migrated):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
            dumps.append([re.sub(r"\s+", "", line) for line in connection.iterdump()])
    assert dumps[0] == dumps[1]


def test_a_new_state_that_cannot_be_made_is_left_empty(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = path.with_name("head.sql")
    broken.write_text("CREATE TABLE half (x INTEGER) STRICT;\nINSERT INTO nowhere VALUES (1);\n")
    with monkeypatch.context() as patch:
        patch.setattr(fresh, "SCRIPT", broken)
        with pytest.raises(StoreError, match="no such table: nowhere"):
            open_store(path)
    with closing(sqlite3.connect(path)) as connection:
        assert statements(connection) == set()
    open_store(path).close()


def test_the_head_of_the_migrations_is_what_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", migrate.SCRIPTS)
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(config: Config, revision: str) -> None:
        connection = config.attributes["connection"]
        connection.exec_driver_sql("CREATE TABLE half (x INTEGER) STRICT")
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")

    monkeypatch.setattr(command, "upgrade", fail)
    with pytest.raises(StoreError, match="no such table: nowhere"):
        migrate.upgrade(db.Database(path))
    with sqlite3.connect(path) as connection:
        assert statements(connection) == set()


def test_upgrading_what_is_current_changes_nothing(path: Path, store: Store) -> None:
    version = store.version()
    migrate.upgrade(db.Database(path))
    assert store.version() == version
