"""What Alembic runs for a migration: on the connection, and in the transaction, that `migrate.py` opened."""

from __future__ import annotations

from alembic import context

from rota.store import schema, schema_agents  # noqa: F401 # they declare the tables
from rota.store.columns import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
