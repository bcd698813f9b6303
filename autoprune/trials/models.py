"""The tables of the trial database.

Times are UTC in ISO 8601 text, but for the lease, which is compared with the database's own clock.
A change here needs a migration: see ``docs/durability.md``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from autoprune.trials.column_types import ExactFloat

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
}

SHA256 = String(64)


def utc_now() -> str:
    """The time of this machine, UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Base(DeclarativeBase):
    """Common to all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        float: ExactFloat,
        str: Text,
        bytes: LargeBinary,
        dict[str, Any]: JSON(none_as_null=True),
        list[int]: JSON(none_as_null=True),
    }


class ResultColumns:
    """What one evaluation said; ``seconds`` is there as soon as there is a result."""

    score: Mapped[float | None]
    loss: Mapped[float | None]
    accuracy: Mapped[float | None]
    seconds: Mapped[float | None]
    error: Mapped[str | None]
    weights: Mapped[str | None] = mapped_column(SHA256)
    reused: Mapped[bool] = mapped_column(default=False)
    figure: Mapped[float | None]


class Job(Base):
    """One search job, and who holds it."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    what: Mapped[dict[str, Any]]
    what_hash: Mapped[str] = mapped_column(SHA256)
    how: Mapped[dict[str, Any]]
    environment: Mapped[str]
    base: Mapped[dict[str, Any]]
    results: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16))
    stage: Mapped[str] = mapped_column(String(16))
    desired_state: Mapped[str | None] = mapped_column(String(16))
    priority: Mapped[int | None]
    error: Mapped[str | None]
    timing_dependent: Mapped[bool]
    epoch: Mapped[int]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[float | None]
    created: Mapped[str] = mapped_column(String(32))

    # The rows are long: lists are read off these.
    __table_args__ = (
        Index("ix_jobs_created", "created", "id"),
        Index("ix_jobs_state", "state", "created", "id"),
    )


class Trial(ResultColumns, Base):
    """One schedule proposed and scored."""

    __tablename__ = "trials"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    purpose: Mapped[str] = mapped_column(String(16))
    widths: Mapped[list[int]]
    start_from: Mapped[int | None]
    predicted: Mapped[dict[str, Any]]
    evaluation_key: Mapped[str]
    state: Mapped[str] = mapped_column(String(16))


class Evaluation(ResultColumns, Base):
    """A score that any job may reuse."""

    __tablename__ = "evaluations"

    key: Mapped[str] = mapped_column(primary_key=True)
    created: Mapped[str] = mapped_column(String(32))


class StoredCheckpoint(Base):
    """A searcher's state after ``tells`` tells."""

    __tablename__ = "checkpoints"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    tells: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    history: Mapped[str]
    state: Mapped[str]
    arrays: Mapped[bytes]
    sha256: Mapped[str] = mapped_column(SHA256)


class Finalist(ResultColumns, Base):
    """One schedule of the race or the ladder."""

    __tablename__ = "finalists"
    __table_args__ = (ForeignKeyConstraint(["job_id", "trial"], ["trials.job_id", "trials.index"]),)

    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    origin: Mapped[str]
    trial: Mapped[int]
    widths: Mapped[list[int]]
    predicted: Mapped[dict[str, Any]]
    evaluation_key: Mapped[str]
    measured: Mapped[dict[str, Any] | None]


class StoredEvent(Base):
    """One line of a job's progress stream."""

    __tablename__ = "events"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    at: Mapped[str] = mapped_column(String(32))


class Artifact(Base):
    """A file of the artifact folder."""

    __tablename__ = "artifacts"

    sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str]
    created: Mapped[str] = mapped_column(String(32))


class LatencyTable(Base):
    """A sealed latency table."""

    __tablename__ = "tables"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(SHA256, unique=True)
    context_key: Mapped[str] = mapped_column(index=True)
    document: Mapped[dict[str, Any]]
    created: Mapped[str] = mapped_column(String(32))


class TableEntry(Base):
    """One operator's latency, saved as soon as it is measured."""

    __tablename__ = "table_entries"

    context_key: Mapped[str] = mapped_column(primary_key=True)
    operator: Mapped[str] = mapped_column(primary_key=True)
    entry: Mapped[dict[str, Any]]
    created: Mapped[str] = mapped_column(String(32))


class Calibration(Base):
    """How a table's sums map to a whole network's latency."""

    __tablename__ = "calibrations"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(SHA256, unique=True)
    table_hash: Mapped[str] = mapped_column(ForeignKey("tables.hash"), index=True)
    network: Mapped[str]
    document: Mapped[dict[str, Any]]
    created: Mapped[str] = mapped_column(String(32))


class AccessToken(Base):
    """Who may use the service; the token itself is stored nowhere."""

    __tablename__ = "access_tokens"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    created: Mapped[str] = mapped_column(String(32))
    revoked: Mapped[str | None] = mapped_column(String(32))


class JobRequest(Base):
    """The job that a request to the service made, so that the same request makes no second one."""

    __tablename__ = "job_requests"

    scope: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hash: Mapped[str] = mapped_column(SHA256)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    created: Mapped[str] = mapped_column(String(32))
