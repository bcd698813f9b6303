"""The only place that builds concrete things from a job spec: submit, run, measure, check."""

from autoprune.composition.answers import take_answers
from autoprune.composition.checking import check
from autoprune.composition.jobs import bench_for, reopen, run, submit
from autoprune.composition.latency import (
    bare_subject,
    check_table,
    draw_network,
    import_table,
    measure,
    remove_database,
)
from autoprune.composition.origin import Origin, inherited
from autoprune.composition.stores import Stores, open_job, open_stores, records_of

__all__ = [
    "Origin",
    "Stores",
    "bare_subject",
    "bench_for",
    "check",
    "check_table",
    "draw_network",
    "import_table",
    "inherited",
    "measure",
    "open_job",
    "open_stores",
    "records_of",
    "remove_database",
    "reopen",
    "run",
    "submit",
    "take_answers",
]
