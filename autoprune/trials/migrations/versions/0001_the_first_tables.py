"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from autoprune.trials.column_types import ExactFloat

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_jobs()
    _create_trials()
    _create_finalists()
    _create_checkpoints_and_events()
    _create_evaluations_and_artifacts()
    _create_tables()
    _create_calibrations()


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("what", sa.JSON(), nullable=False),
        sa.Column("what_hash", sa.String(64), nullable=False),
        sa.Column("how", sa.JSON(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("base", sa.JSON(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("desired_state", sa.String(16), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("timing_dependent", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", ExactFloat(), nullable=True),
        sa.Column("created", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )


def _create_trials() -> None:
    op.create_table(
        "trials",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("widths", sa.JSON(), nullable=False),
        sa.Column("start_from", sa.Integer(), nullable=True),
        sa.Column("predicted", sa.JSON(), nullable=False),
        sa.Column("evaluation_key", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        *_result_columns(),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_trials_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "index", name="pk_trials"),
    )


def _create_finalists() -> None:
    op.create_table(
        "finalists",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("trial", sa.Integer(), nullable=False),
        sa.Column("widths", sa.JSON(), nullable=False),
        sa.Column("predicted", sa.JSON(), nullable=False),
        sa.Column("evaluation_key", sa.Text(), nullable=False),
        sa.Column("measured", sa.JSON(), nullable=True),
        *_result_columns(),
        sa.ForeignKeyConstraint(
            ["job_id", "trial"],
            ["trials.job_id", "trials.index"],
            name="fk_finalists_job_id_trials",
        ),
        sa.PrimaryKeyConstraint("job_id", "slot", name="pk_finalists"),
    )


def _result_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("score", ExactFloat(), nullable=True),
        sa.Column("loss", ExactFloat(), nullable=True),
        sa.Column("accuracy", ExactFloat(), nullable=True),
        sa.Column("seconds", ExactFloat(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("weights", sa.String(64), nullable=True),
        sa.Column("reused", sa.Boolean(), nullable=False),
    ]


def _create_checkpoints_and_events() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("tells", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("history", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("arrays", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_checkpoints_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "tells", name="pk_checkpoints"),
    )
    op.create_table(
        "events",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_events_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "sequence", name="pk_events"),
    )


def _create_evaluations_and_artifacts() -> None:
    op.create_table(
        "evaluations",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        *_result_columns(),
        sa.PrimaryKeyConstraint("key", name="pk_evaluations"),
    )
    op.create_table(
        "artifacts",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_artifacts"),
    )


def _create_tables() -> None:
    op.create_table(
        "tables",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("context_key", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tables"),
        sa.UniqueConstraint("hash", name="uq_tables_hash"),
    )
    op.create_index("ix_tables_context_key", "tables", ["context_key"])
    op.create_table(
        "table_entries",
        sa.Column("context_key", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("entry", sa.JSON(), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("context_key", "operator", name="pk_table_entries"),
    )


def _create_calibrations() -> None:
    op.create_table(
        "calibrations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("table_hash", sa.String(64), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(
            ["table_hash"], ["tables.hash"], name="fk_calibrations_table_hash_tables"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_calibrations"),
        sa.UniqueConstraint("hash", name="uq_calibrations_hash"),
    )
    op.create_index("ix_calibrations_table_hash", "calibrations", ["table_hash"])
