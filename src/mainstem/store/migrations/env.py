"""Alembic's entry: runs the versions on the connection that `store.database` hands over."""

from __future__ import annotations

from alembic import context

from mainstem.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
