"""A finished job's choice, made again by what a device kit measured."""

from __future__ import annotations

from dataclasses import replace

from autoprune.budget import latency_key
from autoprune.errors import BudgetInfeasibleError
from autoprune.export.answers import Answers, RefusedAnswersError
from autoprune.jobs.choosing import ENOUGH, used
from autoprune.jobs.measuring import verdict
from autoprune.jobs.packaging import ranked_finalists
from autoprune.jobs.planning import Plan
from autoprune.jobs.race import contenders
from autoprune.jobs.summary import summarise_job
from autoprune.trials.records import FinalistRecord, JobRecord
from autoprune.trials.store import TrialStore


def choose_by_answers(
    store: TrialStore, job: JobRecord, plan: Plan, answers: Answers
) -> FinalistRecord:
    """The finalist to export, by the rule of :mod:`autoprune.jobs.choosing`; with its measurement.

    Raises:
        RefusedAnswersError: they are of another job, or of a machine that the budget is not for.
        BudgetInfeasibleError: no finalist fits there.
    """
    _check(store, job, plan, answers)
    base_s, limit_s = plan.priced.base_s, plan.limits.get(latency_key(plan.primary))
    slots = (network.slot for network in answers.networks[1:])
    found = dict(zip(slots, answers.comparisons, strict=True))
    fitting = [
        measured
        for finalist in contenders(ranked_finalists(store, job))
        if finalist.slot in found
        for measured in [replace(finalist, measured=verdict(found[finalist.slot], base_s, limit_s))]
        if (measured.measured or {})["fits"]
    ]
    if not fitting:
        fastest = min(comparison.ratio.median for comparison in found.values())
        raise BudgetInfeasibleError(
            f"no finalist of job {job.id} fits on {answers.measured_on}: the fastest takes "
            f"{fastest:.1%} of the unpruned network. Search again with a lower budget, or with a "
            "table of that device"
        )
    ample = [f for f in fitting if used(f, limit_s, plan.rung) >= ENOUGH]
    return [*ample, *fitting][0]


def _check(store: TrialStore, job: JobRecord, plan: Plan, answers: Answers) -> None:
    if answers.digest != summarise_job(store, job.id)["digest"]:
        raise RefusedAnswersError(
            f"the answers {answers.path} are refused: they are of job {answers.job}, not of "
            f"{job.id}; give those that this job's kit wrote"
        )
    absolute = any(
        b.key == latency_key(plan.primary) and b.fraction is None for b in plan.spec.bounds
    )
    if absolute and not answers.same_device(plan.priced.table.context.device.to_json()):
        raise RefusedAnswersError(
            f"the answers {answers.path} are refused: the budget in milliseconds is of the table's "
            f"device ({plan.priced.table.context.device.processor}), they are of "
            f"{answers.measured_on}; search with a budget in percent, or with that device's table"
        )
