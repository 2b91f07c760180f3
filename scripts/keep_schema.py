"""Write what the migrations add up to, for new states: `python -m scripts.keep_schema` after a new migration."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from rota.store import fresh, migrate
from rota.store.db import Database


def script(path: Path) -> str:
    """The script that makes what every migration, on an empty file at `path`, has made."""
    migrate.upgrade(Database(path))
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        )
        statements = [sql.rstrip() for (sql,) in made]
        rows = [line for line in connection.iterdump() if line.startswith("INSERT")]
    lines = "\n".join([f"{statement};" for statement in statements] + rows).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def main() -> None:
    """Keep it where new states are made from."""
    with tempfile.TemporaryDirectory() as folder:
        fresh.SCRIPT.write_text(script(Path(folder, "state.db")), "utf-8")


if __name__ == "__main__":
    main()
