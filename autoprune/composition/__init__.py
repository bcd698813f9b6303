"""The only place that builds concrete things from a job spec: submit, run, measure, check."""

from autoprune.composition.checking import check
from autoprune.composition.finished import finetune_again, take_answers
from autoprune.composition.jobs import leave_to_workers, reopen, spec_of, submit
from autoprune.composition.latency import (
    bare_subject,
    check_table,
    draw_network,
    import_table,
    measure,
    remove_database,
)
from autoprune.composition.origin import Origin, inherited
from autoprune.composition.running import bench_for, run
from autoprune.composition.stores import Stores, open_job, open_stores, records_of
from autoprune.composition.working import WorkerOptions, make_worker, trains_here

__all__ = [
    "Origin",
    "Stores",
    "WorkerOptions",
    "bare_subject",
    "bench_for",
    "check",
    "check_table",
    "draw_network",
    "finetune_again",
    "import_table",
    "inherited",
    "leave_to_workers",
    "make_worker",
    "measure",
    "open_job",
    "open_stores",
    "records_of",
    "remove_database",
    "reopen",
    "run",
    "spec_of",
    "submit",
    "take_answers",
    "trains_here",
]
