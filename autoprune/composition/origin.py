"""Another budget from a stored job: what a new job inherits of it, and the answer without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from autoprune.budget import parse_budget
from autoprune.composition.stores import Stores, open_job
from autoprune.errors import EnvironmentMismatchError, InputError
from autoprune.evaluation.checkpoint import unpack
from autoprune.jobs.answer_summary import describe_answer
from autoprune.jobs.context import Progress, silent
from autoprune.jobs.devices import named_hashes, pinned_all
from autoprune.jobs.frontier import start_of
from autoprune.jobs.inheriting import inherited_fields, stored_fields
from autoprune.jobs.knowledge import Knowledge, learn
from autoprune.jobs.narrowing import narrowed
from autoprune.jobs.planning import Plan, make_plan
from autoprune.jobs.start import Start
from autoprune.jobs.subject import Subject, check_same_code, load_subject
from autoprune.spec import IN_MEMORY, JobSpec, make_spec, merged, texts_of
from autoprune.trials.records import JobRecord, Json

_OF_THE_JOB = (
    "model", "weights", "data", "task", "batch", "ignore", "divisor", "min_keep", "rules", "tied",
)  # fmt: skip
"""Fields that say what was evaluated."""
_SAME = ("weights", "data", "structure")
_COMPARABLE = ("criterion", "metric", "metric_code", "task", "fidelity", "evaluation_version")
"""What of a job decides that its losses are of one kind with another's."""


@dataclass(frozen=True)
class Origin:
    """A stored job that others learn from."""

    stores: Stores
    job: JobRecord

    @classmethod
    def open(cls, job: str, db: str, artifacts: str | None = None) -> Origin:
        """Open a job in any state, for reading.

        Raises:
            UnknownJobError: the database holds no such job.
        """
        return cls(*open_job(db, job, artifacts))

    @property
    def spec(self) -> JobSpec:
        """As the job was submitted."""
        return make_spec(stored_fields(self.job))

    def weights(self) -> dict[str, torch.Tensor]:
        """The state dict that the job's trials begin with."""
        content = self.stores.trials.get_artifact(self.job.how["weights_artifact"])
        return dict(unpack(content)[0])

    def knowledge(self, subject: Subject) -> Knowledge:
        """What the job's trials taught.

        Args:
            subject: the job's, with all widths.

        Raises:
            EnvironmentMismatchError: the subject is another than the one that was evaluated.
            ModelError: its code was edited.
        """
        check_same_code(self.job, subject)
        here = {
            "weights": subject.weights_hash,
            "data": subject.data.digest,
            "structure": subject.structure,
        }
        changed = [key for key in _SAME if here[key] != self.job.what[key]]
        if changed:
            raise EnvironmentMismatchError(
                f"job {self.job.id} evaluated something else: {', '.join(changed)} changed since. "
                "Restore them, or search without --from"
            )
        plan = rebuild_plan(self.job, self.spec, subject, self.stores)
        return learn(self.stores.trials, self.job, plan)

    def start(self, plan: Plan, subject: Subject, progress: Progress) -> Start:
        """What a new job begins with.

        Args:
            plan: the new job's, which begins with nothing yet.
            subject: with all widths.
        """
        what = plan.what()
        comparable = all(what.get(key) == self.job.what.get(key) for key in _COMPARABLE)
        start = start_of(
            self.knowledge(subject), plan.problem, plan.capacity, comparable=comparable
        )
        progress("start", {"job": self.job.id, "known": len(start.known)})
        return start

    def answer(self, budget: object, progress: Progress) -> Json:
        """The schedule for another budget, as ``autoprune search --from JOB --json`` prints it.

        Nothing is evaluated, and nothing is stored.

        Raises:
            BudgetInfeasibleError: no schedule meets the budget; says the floor.
        """
        spec = inherit(self.job, {} if budget is None else {"budget": budget})
        subject = load_subject(spec, progress, state=self.weights())
        plan = rebuild_plan(self.job, spec, subject, self.stores)
        return describe_answer(self.job, plan, self.knowledge(subject))


def inherited(values: Mapping[str, Any]) -> JobSpec:
    """The spec of a new job from ``from_job``: what is not given is that job's.

    Args:
        values: fields of a spec, ``from_job`` among them.
    """
    where = make_spec({key: values[key] for key in ("db", "artifacts") if key in values})
    origin = Origin.open(str(values["from_job"]), where.db, where.artifacts)
    return inherit(origin.job, {**values, "db": where.db})


def inherit(job: JobRecord, given: Mapping[str, Any]) -> JobSpec:
    """A spec with a job's fields where nothing else is given, on the job's own tables.

    Raises:
        InputError: what is given contradicts what the job evaluated, or the job was started from
            Python with objects in memory.
    """
    before = make_spec(stored_fields(job))
    if IN_MEMORY in (before.model, before.data, before.task):
        raise InputError(
            f"job {job.id} was started from Python with a model or data in memory: call "
            f"autoprune.search(..., from_job={job.id!r}, budget=...) with the same objects"
        )
    base = inherited_fields(job, given.get("searcher"))
    if "table" not in given:
        base |= _tables(job, given.get("budget", before.budget))
    spec = make_spec({**merged(base, given), "from_job": job.id}, source=f"--from {job.id}")
    for field in _OF_THE_JOB:
        if getattr(spec, field) != getattr(before, field):
            raise InputError(
                f"--from {job.id} brings its own {field} ({getattr(before, field)}), got "
                f"{getattr(spec, field)}: leave it out, or search without --from"
            )
    return spec


def rebuild_plan(job: JobRecord, spec: JobSpec, subject: Subject, stores: Stores) -> Plan:
    """A plan on the tables and calibrations that a stored job was frozen with.

    Args:
        spec: the job's, or one that bounds some of the same tables otherwise.
        subject: with all widths.

    Raises:
        ModelError: the code of the job's network was edited.
    """
    check_same_code(job, subject)
    tables = pinned_all(job.what, spec.tables, stores.tables)
    primary = job.base.get("primary", "")
    subject = narrowed(spec, subject, tables, silent)
    plan = make_plan(spec, subject, tables, primary if primary in tables else None)
    capacity = job.what["searcher_options"].get("capacity")
    return replace(plan, frozen_capacity=capacity, outputs=job.how.get("outputs"))


def _tables(job: JobRecord, budget: object) -> Json:
    """The job's tables that a budget bounds, and their calibrations, as fields of a spec."""
    pairs = named_hashes(job.what)
    bounded = {bound.table for bound in parse_budget(texts_of(budget))} & set(pairs) or set(pairs)
    return {
        field: next(iter(named.values())) if "" in named else named
        for field in ("table", "calibration")
        for named in [{name: pair[field] for name, pair in pairs.items() if name in bounded}]
    }
