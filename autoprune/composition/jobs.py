"""Submitting and reopening jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from autoprune.composition.origin import Origin, rebuild_plan
from autoprune.composition.stores import Stores, open_stores
from autoprune.composition.unpruned import check_subject, describe_base
from autoprune.errors import EnvironmentMismatchError, InputError
from autoprune.evaluation.checkpoint import pack, unpack
from autoprune.evaluation.environment import environment_fingerprint, prepare_training
from autoprune.jobs.admission import admit, stored_tables
from autoprune.jobs.context import Progress
from autoprune.jobs.devices import check_device, keep_all, obtain_all, primary_of
from autoprune.jobs.inheriting import stored_fields
from autoprune.jobs.keys import hash_of
from autoprune.jobs.lease import owner_is_gone
from autoprune.jobs.narrowing import narrowed
from autoprune.jobs.planning import Plan, make_plan
from autoprune.jobs.start import Start
from autoprune.jobs.subject import Subject, load_subject, outputs_of
from autoprune.spec import IN_MEMORY, JobSpec, make_spec
from autoprune.trials.records import JobRecord, Request


def submit(
    spec: JobSpec,
    progress: Progress,
    subject: Subject | None = None,
    *,
    for_workers: bool = False,
    stores: Stores | None = None,
    request: Request | None = None,
    may_measure: bool = True,
) -> tuple[Stores, str, Plan]:
    """Freeze a job and store it; what can be refused is refused before anything is written.

    With a table that was measured before, nothing at all is written for a job that is refused;
    without one, what was measured for it stays, for the next job.

    Args:
        for_workers: whether workers may take it, by the spec's priority.
        stores: the spec's database, where it is open already.
        request: of the service that asks for the job; the same one makes no second job.
        may_measure: otherwise a job that needs a table that is not stored is refused.
    """
    admit(spec, subject.task if subject else None)
    prepare_training(spec.train_threads, spec.train_device)
    origin = _origin(spec, stores) if spec.from_job else None
    subject = subject or load_subject(spec, progress, state=origin.weights() if origin else None)
    scored = check_subject(spec, subject, progress)
    tables = obtain_all(
        spec,
        subject,
        lambda: (stores or open_stores(spec.db, spec.artifacts)).tables,
        progress,
        stored_tables(spec.db) if stores is None else stores.tables,
        may_measure=may_measure,
    )
    check_device(spec, tables[primary_of(tables)].table)
    for name, priced in tables.items():
        ready = {"name": name, "table": priced.table.hash, "says": priced.describe_choice()}
        progress("table ready", ready)
    plan = make_plan(spec, narrowed(spec, subject, tables, progress), tables)
    if origin is not None:
        plan = replace(plan, start=origin.start(plan, subject, progress))
    environment = environment_fingerprint(spec.train_threads, spec.train_device)
    base = describe_base(plan, scored)
    plan = replace(plan, outputs=outputs_of(subject))
    stores = stores or open_stores(spec.db, spec.artifacts)
    keep_all(tables, stores.tables)
    weights = stores.trials.put_artifact(pack(subject.model.state_dict(), None), "base weights")
    how = {
        "spec": spec.model_dump(mode="json"),
        "budget": list(spec.budget),
        "weights_artifact": weights,
        "outputs": plan.outputs,
    }
    what = plan.what()
    priority = spec.priority if for_workers else None
    job = stores.trials.create_job(
        what, hash_of(what), how, environment, base, priority=priority, request=request
    )
    progress(
        "submitted",
        {
            "job": job,
            "groups": len(subject.space.groups),
            "left_out": [asdict(item) for item in subject.space.left_out],
            "base": base,
            "limits": plan.limits,
        },
    )
    return stores, job, plan


def _origin(spec: JobSpec, stores: Stores | None) -> Origin:
    job = str(spec.from_job)
    if stores is not None:
        return Origin(stores, stores.trials.job(job))
    return Origin.open(job, spec.db, spec.artifacts)


def spec_of(job: JobRecord, overrides: Mapping[str, Any]) -> JobSpec:
    """What a stored job was submitted with, but for the fields that are given."""
    # A job of a version that had no such field searches all its widths.
    return make_spec({"keep_dominated": True, **job.how["spec"], **overrides})


def reopen(
    stores: Stores,
    job_id: str,
    progress: Progress,
    overrides: Mapping[str, Any],
    subject: Subject | None = None,
    accept_environment: bool = False,
) -> Plan:
    """Rebuild a stored job's plan, and check that it is still the same job."""
    job = stores.trials.job(job_id)
    spec = spec_of(job, overrides)
    _check_environment(job, spec, accept_environment)
    if subject is None:
        if IN_MEMORY in (spec.model, spec.data, spec.task):
            raise _in_memory(job)
        base = stores.trials.get_artifact(job.how["weights_artifact"])
        subject = load_subject(spec, progress, state=unpack(base)[0])
    plan = rebuild_plan(job, spec, subject, stores)
    plan = replace(plan, start=Start.of(job.what))
    what = plan.what()
    if hash_of(what) != job.what_hash:
        changed = sorted(key for key in what if what[key] != job.what.get(key))
        raise EnvironmentMismatchError(
            f"job {job.id} is not what it was: {', '.join(changed)} changed since it was "
            "submitted. Restore them, or start a new job: evaluations that still apply are reused"
        )
    return plan


def leave_to_workers(stores: Stores, job: JobRecord, overrides: Mapping[str, Any]) -> None:
    """Queue a stored job that stands still; workers go on with it as changed here.

    Args:
        overrides: fields of its spec that decide nothing of the search.

    Raises:
        InputError: it is driven now, is finished, or lives on objects in memory.
    """
    changed = {key: value for key, value in overrides.items() if key not in ("db", "artifacts")}
    spec = make_spec({**stored_fields(job), **changed})
    if IN_MEMORY in (spec.model, spec.data, spec.task):
        raise _in_memory(job)
    how = {**job.how, "spec": spec.model_dump(mode="json")}
    stores.trials.queue_job(job.id, spec.priority, how, owner_is_gone)


def _in_memory(job: JobRecord) -> InputError:
    return InputError(
        f"job {job.id} was started from Python with a model or data in memory: resume it "
        "with autoprune.search(..., resume=JOB) and the same objects"
    )


def _check_environment(job: JobRecord, spec: JobSpec, accept: bool) -> None:
    if accept:
        return
    here = environment_fingerprint(spec.train_threads, spec.train_device)
    if here != job.environment:
        raise EnvironmentMismatchError(
            f"job {job.id} was started under {job.environment!r}, this is {here!r}: scores would "
            "not be the same to the bit. Resume where it was started, or pass "
            "--accept-environment: the job is then marked timing_dependent"
        )
