"""Driving a job from wherever it stands: by the user who submitted it, or by a worker."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from autoprune.budget import latency_key
from autoprune.composition.stores import Stores
from autoprune.errors import (
    AutopruneError,
    DatabaseError,
    JobStoppedError,
    LeaseLostError,
    StorageError,
)
from autoprune.evaluation.checkpoint import pack
from autoprune.evaluation.environment import (
    environment_fingerprint,
    prepare_training,
    training_device,
)
from autoprune.evaluation.ranking import Rankings
from autoprune.evaluation.recipe import EvaluatorRecipe
from autoprune.evaluation.training import TrainingPlan
from autoprune.jobs.admission import check_ray
from autoprune.jobs.context import Progress, SearchContext
from autoprune.jobs.devices import check_device
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.executors.port import Executor
from autoprune.jobs.executors.processes import ProcessExecutor
from autoprune.jobs.executors.ray_actors import RayExecutor
from autoprune.jobs.finetuning import WinnerFinetuner
from autoprune.jobs.guessing import guessing_score
from autoprune.jobs.learning import FinalistLearner
from autoprune.jobs.lease import acquire, heartbeat
from autoprune.jobs.measuring import Bench
from autoprune.jobs.planning import Plan
from autoprune.jobs.runner import LaterStages, run_job
from autoprune.pruning.surgery import prune
from autoprune.spec import IN_MEMORY, JobSpec
from autoprune.trials.records import JobRecord, Json, Lease


def run(
    stores: Stores, job_id: str, plan: Plan, progress: Progress, accept_environment: bool = False
) -> None:
    """Drive a job to its end; a finished one is left alone.

    Raises:
        JobStoppedError: somebody asked for it to be paused or cancelled.
    """
    job = stores.trials.job(job_id)
    if job.state == "finished":
        return
    foreign = _is_foreign(job, plan, accept_environment)
    with _executor(job, plan, foreign) as executor:
        lease = acquire(stores.trials, job_id)
        try:
            with heartbeat(stores.trials, lease):
                stores.trials.commit(lease, timing_dependent=foreign)
                context = make_context(stores, lease, plan, executor, progress)
                run_job(context, later_stages(stores, plan))
        except (LeaseLostError, StorageError, DatabaseError, JobStoppedError):
            raise  # nothing can be written any more, or need be
        except AutopruneError as error:
            stores.trials.commit(lease, state="failed", error=str(error))
            raise
        finally:
            stores.trials.release(lease)


def run_leased(
    stores: Stores,
    lease: Lease,
    plan: Plan,
    progress: Progress,
    packager: Callable[[], Json],
    accept_environment: bool = False,
) -> None:
    """Drive a job under a lease that somebody else keeps alive and gives back.

    Args:
        packager: the job's last step.
    """
    job = stores.trials.job(lease.job)
    foreign = _is_foreign(job, plan, accept_environment)
    with _executor(job, plan, foreign) as executor:
        stores.trials.commit(lease, timing_dependent=foreign)
        context = make_context(stores, lease, plan, executor, progress)
        run_job(context, replace(later_stages(stores, plan), packager=packager))


def _is_foreign(job: JobRecord, plan: Plan, accept_environment: bool) -> bool:
    here = environment_fingerprint(plan.spec.train_threads, plan.spec.train_device)
    return accept_environment and here != job.environment


@contextmanager
def _executor(job: JobRecord, plan: Plan, foreign: bool) -> Iterator[Executor]:
    """What scores the job's trials here; refused where the winner could not be measured."""
    if "chosen" not in job.results:
        check_device(plan.spec, plan.priced.table)
    prepare_training(plan.spec.train_threads, plan.spec.train_device)
    executor = make_executor(plan, None if foreign or job.timing_dependent else job.environment)
    try:
        yield executor
    finally:
        executor.close()


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
        guessing=guessing_score(plan.subject.data, plan.metric),
    )


def make_executor(plan: Plan, environment: str | None) -> Executor:
    """The executor that the spec asks for; its workers start with the first evaluation.

    Args:
        environment: what every worker's fingerprint must be; None accepts any.
    """
    spec, subject = plan.spec, plan.subject
    check_ray(spec)
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
        task=subject.task,
        part=subject.part,
        outputs=plan.outputs,
        device=spec.train_device,
        layout=subject.data.layout,
    )
    workers = spec.workers or _default_workers(spec)
    if spec.executor == "ray":
        return RayExecutor(
            recipe,
            workers,
            address=spec.address,
            threads=spec.train_threads,
            gpus=spec.ray_gpus,
        )
    return InlineExecutor(recipe) if workers == 1 else ProcessExecutor(recipe, workers)


def _default_workers(spec: JobSpec) -> int:
    """One for each core; on a GPU one, as what a second one needs of its memory is not known."""
    return (os.cpu_count() or 1) if spec.train_device == "cpu" else 1


def later_stages(stores: Stores, plan: Plan) -> LaterStages:
    """Measuring, the final finetune, and what is learned."""
    spec, subject = plan.spec, plan.subject
    finetuner = WinnerFinetuner(
        subject,
        TrainingPlan(
            epochs=spec.finetune_epochs,
            batch_size=spec.fidelity.batch_size,
            learning_rate=spec.finetune_learning_rate,
            teacher=spec.fidelity.teacher,
        ),
        spec.seed,
        training_device(spec.train_device),
    )
    learner = FinalistLearner(plan.cost, plan.priced.calibration, stores.tables)
    return LaterStages(None if spec.unmeasured else lambda: bench_for(plan), finetuner, learner)


def bench_for(plan: Plan) -> Bench:
    """What measures this job's finalists."""
    subject, context = plan.subject, plan.priced.table.context
    spec = plan.spec
    # On the CPU, as the machine that exports may have no GPU: latency is a matter of widths alone.
    rankings = Rankings(subject.model, subject.space, subject.data, spec.criterion, spec.seed)

    def build(widths: tuple[int, ...]) -> torch.nn.Module:
        kept = rankings.base().choose(subject.space.named(widths))
        return subject.measured(prune(subject.model, subject.space, kept))

    return Bench(
        runtime=context.runtime,
        threads=context.threads,
        unpruned=subject.measured(),
        example_input=subject.example_input,
        build=build,
        base_s=plan.priced.base_s,
        limit_s=plan.limits.get(latency_key(plan.primary)),
    )
