"""What becomes of a finished job: another of its finalists, or another final finetune.

Nothing of it is in the digest. A run that is stopped leaves the job as it was, and the same call
goes on from the last epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from autoprune.composition.running import later_stages, make_context, make_executor
from autoprune.composition.stores import Stores
from autoprune.evaluation.environment import prepare_training
from autoprune.export.answers import read_answers
from autoprune.jobs.answering import choose_by_answers
from autoprune.jobs.context import Progress, SearchContext
from autoprune.jobs.lease import acquire, heartbeat
from autoprune.jobs.packaging import package_job
from autoprune.jobs.planning import Plan
from autoprune.jobs.runner import Finetuner
from autoprune.trials.records import Json


def take_answers(stores: Stores, job_id: str, plan: Plan, path: Path, progress: Progress) -> None:
    """Choose by the answers, and finetune the chosen finalist where it is another than before.

    Raises:
        InputError, VerificationError: the answers cannot be read, were altered, or are not of this
            job.
        BudgetInfeasibleError: no finalist fits.
    """
    job = stores.trials.job(job_id)
    answers = read_answers(path)
    chosen = choose_by_answers(stores.trials, job, plan, answers)
    found: Json = {"slot": chosen.slot, "status": "measured", "measured_on": answers.measured_on}
    why = plan.explain(chosen.widths)
    results: Json = {"chosen": {**found, **(chosen.measured or {}), "why": why}}
    with _driven(stores, job_id, plan, progress) as (context, finetuner):
        if chosen.slot != job.results["chosen"]["slot"]:
            results["final"] = finetuner.run(context, chosen)
        _store(context, plan, results)
        finetuner.clean_up(context)


def finetune_again(stores: Stores, job_id: str, plan: Plan, progress: Progress) -> None:
    """Finetune the chosen network from its searched weights as the plan says.

    Nothing is done where it was finetuned so before.
    """
    job = stores.trials.job(job_id)
    final, spec = job.results["final"], plan.spec
    before = final["epochs"], final.get("learning_rate")
    if before == (spec.finetune_epochs, spec.finetune_learning_rate):
        return
    chosen = stores.trials.finalist(job_id, job.results["chosen"]["slot"])
    with _driven(stores, job_id, plan, progress) as (context, finetuner):
        _store(context, plan, {"final": finetuner.run(context, chosen)})
        finetuner.clean_up(context)


@contextmanager
def _driven(
    stores: Stores, job_id: str, plan: Plan, progress: Progress
) -> Iterator[tuple[SearchContext, Finetuner]]:
    """What trains a network of the job, under its lease."""
    prepare_training(plan.spec.train_threads, plan.spec.train_device)
    executor = make_executor(plan, None)
    lease = acquire(stores.trials, job_id)
    try:
        with heartbeat(stores.trials, lease):
            context = make_context(stores, lease, plan, executor, progress)
            yield context, later_stages(stores, plan).finetuner
    finally:
        executor.close()
        stores.trials.release(lease)


def _store(context: SearchContext, plan: Plan, results: Json) -> None:
    """Keep the results, and of a job that keeps its bundle the bundle that they give."""
    kept = "bundle_archive" in context.job.results
    outdated: Json = {"bundle_archive": None} if kept else {}
    context.store.commit(context.lease, results={**results, **outdated})
    if kept:
        with TemporaryDirectory() as folder:
            bundle = Path(folder) / context.job.id
            packed = package_job(context.store, context.job.id, plan, bundle)
        context.store.commit(context.lease, results=packed)
