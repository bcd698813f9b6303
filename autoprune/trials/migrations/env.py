"""Runs the migrations on the connection, and in the transaction, of whoever calls for them."""

from __future__ import annotations

from alembic import context

from autoprune.trials.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
