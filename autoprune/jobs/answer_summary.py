"""The answer for another budget as others read it: `search --from JOB --json`."""

from __future__ import annotations

from collections.abc import Sequence

from autoprune.jobs.frontier import Candidate, candidates
from autoprune.jobs.knowledge import Knowledge
from autoprune.jobs.planning import Plan
from autoprune.jobs.start import Widths
from autoprune.jobs.summary import layers_of
from autoprune.trials.records import JobRecord, Json

_ALTERNATIVES = 5


def describe_answer(job: JobRecord, plan: Plan, knowledge: Knowledge) -> Json:
    """The object that ``autoprune search --from JOB --json`` prints.

    Args:
        plan: the job's, at the budget that is asked for.
    """
    best, *others = candidates(knowledge, plan.problem, plan.capacity)
    score = knowledge.metric.as_loss  # turning a score round twice gives it back
    predicted = plan.predict([best.widths])[0]
    return {
        "from": job.id,
        "budget": list(plan.spec.budget),
        "origin": best.origin,
        "expected_score": score(best.loss),
        "is_prediction": best.is_prediction,
        "gap": best.gap,
        "metric": job.what["metric"],
        "evaluations": len(knowledge.evaluated),
        "predicted_latency_s": predicted["latency_s"],
        "latency_fraction": predicted["latency_s"] / plan.priced.base_s,
        **{key: value for key, value in predicted.items() if key != "latency_s"},
        "schedule": _named(plan, best.widths),
        "layers": layers_of(job, best.widths),
        "alternatives": _alternatives(plan, knowledge, others[:_ALTERNATIVES]),
    }


def _alternatives(plan: Plan, knowledge: Knowledge, others: Sequence[Candidate]) -> list[Json]:
    costs = plan.predict([other.widths for other in others]) if others else []
    return [
        {
            "origin": other.origin,
            "score": knowledge.metric.as_loss(other.loss),
            "is_prediction": other.is_prediction,
            "predicted_latency_s": cost["latency_s"],
            "schedule": _named(plan, other.widths),
        }
        for other, cost in zip(others, costs, strict=True)
    ]


def _named(plan: Plan, widths: Widths) -> dict[str, int]:
    names = (group.name for group in plan.subject.space.groups)
    return dict(zip(names, widths, strict=True))
