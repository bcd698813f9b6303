"""Submitting, reopening and running jobs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch

from autoprune.budget import latency_key
from autoprune.composition.origin import Origin, rebuild_plan
from autoprune.composition.stores import Stores, open_stores
from autoprune.composition.unpruned import check_subject, describe_base
from autoprune.errors import (
    AutopruneError,
    EnvironmentMismatchError,
    InputError,
    LeaseLostError,
    StorageError,
)
from autoprune.evaluation.checkpoint import pack, unpack
from autoprune.evaluation.environment import environment_fingerprint, set_training_threads
from autoprune.evaluation.ranking import Rankings
from autoprune.evaluation.recipe import EvaluatorRecipe
from autoprune.evaluation.training import TrainingPlan
from autoprune.jobs.admission import admit, stored_tables
from autoprune.jobs.context import Progress, SearchContext
from autoprune.jobs.devices import check_device, keep_all, obtain_all, primary_of
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.executors.port import Executor
from autoprune.jobs.executors.processes import ProcessExecutor
from autoprune.jobs.executors.ray_actors import RayExecutor
from autoprune.jobs.finetuning import WinnerFinetuner
from autoprune.jobs.keys import hash_of
from autoprune.jobs.learning import FinalistLearner
from autoprune.jobs.lease import acquire, heartbeat
from autoprune.jobs.measuring import Bench
from autoprune.jobs.narrowing import narrowed
from autoprune.jobs.planning import Plan, make_plan
from autoprune.jobs.runner import LaterStages, run_job
from autoprune.jobs.start import Start
from autoprune.jobs.subject import Subject, load_subject
from autoprune.pruning.surgery import prune
from autoprune.spec import IN_MEMORY, JobSpec, make_spec
from autoprune.trials.records import JobRecord, Lease, Request


def submit(
    spec: JobSpec,
    progress: Progress,
    subject: Subject | None = None,
    *,
    request: Request | None = None,
    may_measure: bool = True,
) -> tuple[Stores, str, Plan]:
    """Freeze a job and store it; what can be refused is refused before anything is written.

    With a table that was measured before, nothing at all is written for a job that is refused;
    without one, what was measured for it stays, for the next job.

    Args:
        request: of the service that asks for the job; the same one makes no second job.
        may_measure: otherwise a job that needs a table that is not stored is refused.
    """
    admit(spec)
    origin = Origin.open(spec.from_job, spec.db, spec.artifacts) if spec.from_job else None
    subject = subject or load_subject(spec, progress, state=origin.weights() if origin else None)
    scored = check_subject(spec, subject, progress)
    tables = obtain_all(
        spec,
        subject,
        lambda: open_stores(spec.db, spec.artifacts).tables,
        progress,
        stored_tables(spec.db),
        may_measure=may_measure,
    )
    check_device(spec, tables[primary_of(tables)].table)
    for name, priced in tables.items():
        ready = {"name": name, "table": priced.table.hash, "says": priced.describe_choice()}
        progress("table ready", ready)
    plan = make_plan(spec, narrowed(spec, subject, tables, progress), tables)
    if origin is not None:
        plan = replace(plan, start=origin.start(plan, subject, progress))
    environment = environment_fingerprint(spec.train_threads)
    base = describe_base(plan, scored)
    stores = open_stores(spec.db, spec.artifacts)
    keep_all(tables, stores.tables)
    weights = stores.trials.put_artifact(pack(subject.model.state_dict(), None), "base weights")
    how = {
        "spec": spec.model_dump(mode="json"),
        "budget": list(spec.budget),
        "weights_artifact": weights,
    }
    what = plan.what()
    job = stores.trials.create_job(what, hash_of(what), how, environment, base, request)
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
    # A job of a version that had no such field searches all its widths.
    spec = make_spec({"keep_dominated": True, **job.how["spec"], **overrides})
    _check_environment(job, spec, accept_environment)
    if subject is None:
        if IN_MEMORY in (spec.model, spec.data):
            raise InputError(
                f"job {job.id} was started from Python with a model or data in memory: resume it "
                "with autoprune.search(..., resume=JOB) and the same objects"
            )
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


def run(
    stores: Stores, job_id: str, plan: Plan, progress: Progress, accept_environment: bool = False
) -> None:
    """Drive a job to its end; a finished one is left alone."""
    job = stores.trials.job(job_id)
    if job.state == "finished":
        return
    spec = plan.spec
    if "chosen" not in job.results:
        check_device(spec, plan.priced.table)
    set_training_threads(spec.train_threads)
    foreign = accept_environment and environment_fingerprint(spec.train_threads) != job.environment
    executor = make_executor(plan, None if foreign or job.timing_dependent else job.environment)
    lease = acquire(stores.trials, job_id)
    try:
        with heartbeat(stores.trials, lease):
            stores.trials.commit(lease, timing_dependent=foreign)
            context = make_context(stores, lease, plan, executor, progress)
            run_job(context, later_stages(stores, plan))
    except KeyboardInterrupt:
        stores.trials.commit(lease, state="paused")
        raise
    except (LeaseLostError, StorageError):
        raise  # nothing can be written any more
    except AutopruneError as error:
        stores.trials.commit(lease, state="failed", error=str(error))
        raise
    finally:
        executor.close()
        stores.trials.release(lease)


def make_context(
    stores: Stores, lease: Lease, plan: Plan, executor: Executor, progress: Progress
) -> SearchContext:
    """What the driver of a job holds."""
    job = stores.trials.job(lease.job)
    return SearchContext(
        store=stores.trials,
        job=job,
        lease=lease,
        groups=tuple(group.name for group in plan.subject.space.groups),
        problem=plan.problem,
        rung=plan.rung,
        make_searcher=plan.searcher,
        lookahead=plan.spec.lookahead,
        predict=plan.predict,
        explain=plan.explain,
        executor=executor,
        fidelity=plan.fidelity,
        race=plan.race,
        probe=plan.probe,
        metric=plan.metric,
        scope=plan.scope(job.environment),
        progress=progress,
    )


def make_executor(plan: Plan, environment: str | None) -> Executor:
    """The executor that the spec asks for; its workers start with the first evaluation.

    Args:
        environment: what every worker's fingerprint must be; None accepts any.
    """
    spec, subject = plan.spec, plan.subject
    recipe = EvaluatorRecipe(
        model=subject.model if spec.model == IN_MEMORY else spec.model,
        classes=len(subject.data.classes),
        input_shape=subject.data.input_shape,
        weights=pack(subject.model.state_dict(), None),
        space=subject.space,
        data=subject.data if spec.data == IN_MEMORY else spec.data,
        criterion=spec.criterion,
        metric=plan.metric,
        seed=spec.seed,
        threads=spec.train_threads,
        environment=environment,
    )
    workers = spec.workers or os.cpu_count() or 1
    if spec.executor == "ray":
        return RayExecutor(recipe, workers, address=spec.address, threads=spec.train_threads)
    return InlineExecutor(recipe) if workers == 1 else ProcessExecutor(recipe, workers)


def later_stages(stores: Stores, plan: Plan) -> LaterStages:
    """Measuring, the final finetune, and what is learned."""
    spec, subject = plan.spec, plan.subject
    finetuner = WinnerFinetuner(
        subject,
        TrainingPlan(
            epochs=spec.finetune_epochs,
            batch_size=spec.fidelity.batch_size,
            learning_rate=spec.finetune_learning_rate,
        ),
        spec.seed,
    )
    learner = FinalistLearner(plan.cost, plan.priced.calibration, stores.tables)
    return LaterStages(None if spec.unmeasured else lambda: bench_for(plan), finetuner, learner)


def bench_for(plan: Plan) -> Bench:
    """What measures this job's finalists."""
    subject, context = plan.subject, plan.priced.table.context
    spec = plan.spec
    rankings = Rankings(subject.model, subject.space, subject.data, spec.criterion, spec.seed)

    def build(widths: tuple[int, ...]) -> torch.nn.Module:
        kept = rankings.base().choose(subject.space.named(widths))
        return prune(subject.model, subject.space, kept)

    return Bench(
        runtime=context.runtime,
        threads=context.threads,
        unpruned=subject.model,
        example_input=subject.example_input,
        build=build,
        base_s=plan.priced.base_s,
        limit_s=plan.limits.get(latency_key(plan.primary)),
    )


def _check_environment(job: JobRecord, spec: JobSpec, accept: bool) -> None:
    here = environment_fingerprint(spec.train_threads)
    if here != job.environment and not accept:
        raise EnvironmentMismatchError(
            f"job {job.id} was started under {job.environment!r}, this is {here!r}: scores would "
            "not be the same to the bit. Resume where it was started, or pass "
            "--accept-environment: the job is then marked timing_dependent"
        )
