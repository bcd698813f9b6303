"""What the routes are given: built objects, and bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from autoprune.api.catalog import Catalog
from autoprune.api.event_hub import EventHub
from autoprune.api.memory import Memory, Sealed
from autoprune.api.submissions import Submissions
from autoprune.trials import records
from autoprune.trials.readiness import Readiness
from autoprune.trials.records import Json
from autoprune.trials.store import TrialStore
from autoprune.trials.table_store import TableStore
from autoprune.trials.token_store import TokenStore

Submit = Callable[[Json, records.Request | None], str]
"""(fields of a job file, what asks for it) -> the id of the stored, queued job."""
Answer = Callable[[str, list[str] | None], Json]
"""(job, budget or None for the job's own) -> the schedule that the job's evaluations give."""


@dataclass(frozen=True)
class Service:
    """Everything behind the routes.

    Args:
        submit: stores a job, which takes seconds; measures nothing.
        answer: takes seconds too; trains, measures and stores nothing.
        requeue: leaves a job that stands still to workers.
        most_queued: jobs that may wait for a worker.
        always_tokens: a token is needed also while none exists.
        memory: of what was said of jobs.
        sealed: documents of tables.
        lines: what lists say of tables.
    """

    readiness: Readiness
    trials: TrialStore
    tables: TableStore
    tokens: TokenStore
    catalog: Catalog
    submit: Submit
    answer: Answer
    requeue: Callable[[str], None]
    submissions: Submissions
    events: EventHub
    most_queued: int
    always_tokens: bool
    memory: Memory = field(default_factory=Memory)
    sealed: Sealed = field(default_factory=lambda: Sealed(8))
    lines: Sealed = field(default_factory=lambda: Sealed(500))


def service_of(request: Request) -> Service:
    """The service behind a request."""
    return cast(Service, request.app.state.service)


def caller_of(request: Request) -> str:
    """The name of the token that a request came with; empty where none was needed."""
    return str(request.state.caller)
