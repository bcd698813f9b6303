"""A task's figure beside each score; those there are have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from autoprune.trials.column_types import ExactFloat

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("trials", "finalists", "evaluations"):
        op.add_column(table, sa.Column("figure", ExactFloat(), nullable=True))
