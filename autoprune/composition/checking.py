"""Everything that a search would ask of a network and its data, tried once."""

from __future__ import annotations

from autoprune.composition.unpruned import check_subject
from autoprune.evaluation.environment import prepare_training
from autoprune.jobs.admission import admit
from autoprune.jobs.checking import check_network
from autoprune.jobs.context import Progress
from autoprune.jobs.subject import load_subject
from autoprune.spec import JobSpec
from autoprune.trials.records import Json


def check(spec: JobSpec, progress: Progress) -> Json:
    """Load, find the groups, train one step, export and measure; nothing is stored.

    Raises:
        AutopruneError: what a search with this spec would stop at, and where.
    """
    admit(spec)
    prepare_training(spec.train_threads, spec.train_device)  # as a search's trials are
    subject = load_subject(spec, progress)
    scored = check_subject(spec, subject, progress)
    return {**check_network(spec, subject, progress), "base": scored}
