"""The only place that builds concrete things from a job spec: submit, run, measure."""

from autoprune.composition.jobs import bench_for, reopen, run, submit
from autoprune.composition.latency import check_table, measure
from autoprune.composition.stores import Stores, open_job, open_stores, records_of

__all__ = [
    "Stores",
    "bench_for",
    "check_table",
    "measure",
    "open_job",
    "open_stores",
    "records_of",
    "reopen",
    "run",
    "submit",
]
