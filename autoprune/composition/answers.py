"""A finished job exports another of its finalists, by what a device kit measured."""

from __future__ import annotations

from pathlib import Path

from autoprune.composition.running import later_stages, make_context, make_executor
from autoprune.composition.stores import Stores
from autoprune.evaluation.environment import prepare_training
from autoprune.export.answers import read_answers
from autoprune.jobs.answering import choose_by_answers
from autoprune.jobs.context import Progress
from autoprune.jobs.lease import acquire, heartbeat
from autoprune.jobs.planning import Plan
from autoprune.trials.records import Json


def take_answers(stores: Stores, job_id: str, plan: Plan, path: Path, progress: Progress) -> None:
    """Choose by the answers, and finetune the chosen finalist where it is another than before.

    Nothing of it is in the digest. A run that is stopped leaves the job as it was.

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
    prepare_training(plan.spec.train_threads, plan.spec.train_device)
    executor = make_executor(plan, None)
    lease = acquire(stores.trials, job_id)
    try:
        with heartbeat(stores.trials, lease):
            context = make_context(stores, lease, plan, executor, progress)
            finetuner = later_stages(stores, plan).finetuner
            if chosen.slot != job.results["chosen"]["slot"]:
                results["final"] = finetuner.run(context, chosen)
            stores.trials.commit(lease, results=results)
            finetuner.clean_up(context)
    finally:
        executor.close()
        stores.trials.release(lease)
