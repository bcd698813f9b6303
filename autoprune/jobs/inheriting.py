"""What a job that begins with another one's evaluations has of it without being told."""

from __future__ import annotations

from autoprune.trials.records import JobRecord, Json

_NOT_INHERITED = {"db", "out", "runtime", "threads", "table", "calibration", "priority"}
"""Where the new job goes, and what is said of tables: they are named by hash instead."""
_OF_THE_SEARCHER = {"searcher_options", "warm_start"}


def stored_fields(job: JobRecord) -> Json:
    """A job's spec as it was stored; one without that field searched all its widths."""
    return {"keep_dominated": True, **job.how["spec"]}


def inherited_fields(job: JobRecord, searcher: str | None) -> Json:
    """The fields that another job inherits.

    Args:
        searcher: the other job's; None for this one's. Another one begins with its own options.
    """
    fields = stored_fields(job)
    another = searcher is not None and searcher != fields["searcher"]
    left = _NOT_INHERITED | (_OF_THE_SEARCHER if another else set())
    return {field: value for field, value in fields.items() if field not in left}
