"""A job's search space without the widths that do not pay on its tables."""

from __future__ import annotations

from dataclasses import replace

from autoprune.jobs.context import Progress
from autoprune.jobs.devices import Tables
from autoprune.jobs.subject import Subject
from autoprune.pruning.cost import CostModel
from autoprune.pruning.staircases import Staircase, drop_dominated
from autoprune.spec import JobSpec

_NAMED = 6
"""Free channels that the progress names; the plot of the table has them all."""


def narrowed(spec: JobSpec, subject: Subject, tables: Tables, progress: Progress) -> Subject:
    """The subject with the choices that are left when those that never pay are dropped.

    The same tables give the same choices, so a job that is opened again has those it was submitted
    with. The structure, which the calibration belongs to, stays that of the whole space.

    A bound on multiply-adds or parameters is met by a narrow layer however slow it is: with one,
    nothing is dropped.
    """
    if spec.keep_dominated or any(bound.kind != "latency" for bound in spec.bounds):
        return subject
    found = staircase_of(subject, tables)
    named = [str(step) for step in (*found.dropped, *found.free)]
    more = len(named) - _NAMED
    progress(
        "narrowed",
        {
            "widths": len(found.dropped),
            "groups": len({step.group for step in found.dropped}),
            "free": named[:_NAMED] + ([f"and {more} more"] if more > 0 else []),
        },
    )
    network = replace(subject.network, space=found.space)
    return replace(subject, space=found.space, network=network)


def staircase_of(subject: Subject, tables: Tables) -> Staircase:
    """What of the choices pays on one of the tables at least."""
    costs = [CostModel(subject.space, subject.network, priced.table) for priced in tables.values()]
    return drop_dominated(subject.space, costs)
