"""Schedules for another budget from what a job knows: nothing is trained for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoprune.errors import InputError
from autoprune.jobs.knowledge import LEAST, Knowledge
from autoprune.jobs.planning import Plan
from autoprune.jobs.start import Start, Widths
from autoprune.jobs.summary import layers_of
from autoprune.trials.records import JobRecord, Json
from searchers.contract import Problem, Suggestion
from searchers.solver import Solver

_ALTERNATIVES = 5


@dataclass(frozen=True)
class Candidate:
    """A schedule within a budget.

    Args:
        origin: ``the solver's model``, ``LeGR's ranking`` or the trial, as in ``trial 17``.
        loss: what that trial scored, or what the solver's model expects of it.
    """

    origin: str
    widths: Widths
    loss: float
    is_prediction: bool


def candidates(knowledge: Knowledge, problem: Problem) -> list[Candidate]:
    """Every schedule that a job's knowledge gives at a problem's budget, best first.

    Args:
        problem: the job's groups at any budget; evaluations at widths it lacks are left out.

    Raises:
        InputError: too few evaluations are legal there.
    """
    known = known_in(knowledge, problem)
    if len(known) < LEAST:
        raise InputError(
            f"{len(known)} evaluations of job {knowledge.job} are at widths that are legal under "
            f"this budget, expected {LEAST} at least: search without --from"
        )
    solver = Solver(problem, known=known)
    for _ in range(solver.probes):
        if isinstance(probe := solver.ask(), Suggestion):
            solver.tell(probe.id, knowledge.probed(probe.widths))
    given = {solver.answer(): "the solver's model"}
    if knowledge.ranking is not None:
        given.setdefault(knowledge.ranking.widths(problem), "LeGR's ranking")
    scored = _scored(knowledge, problem)
    tried = {found.widths for found in scored}
    expected = zip(given.items(), solver.expected(list(given)).tolist(), strict=True)
    guesses = [
        Candidate(origin, widths, loss, is_prediction=True)
        for (widths, origin), loss in expected
        if widths not in tried
    ]
    return sorted([*guesses, *scored], key=lambda found: found.loss)


def known_in(knowledge: Knowledge, problem: Problem) -> list[tuple[Widths, float]]:
    """The evaluations at widths that are legal in a problem."""
    choices = [set(group.choices) for group in problem.groups]
    return [
        (found.widths, found.loss)
        for found in knowledge.evaluated
        if all(width in legal for width, legal in zip(found.widths, choices, strict=True))
    ]


def start_of(knowledge: Knowledge, problem: Problem, *, comparable: bool) -> Start:
    """What a new job takes over.

    Args:
        problem: the new job's.
        comparable: whether it scores as the old one did; else the losses are worth nothing to it.
    """
    best = candidates(knowledge, problem)[0]
    known = known_in(knowledge, problem) if comparable else []
    return Start(tuple(known), (best.widths,))


def describe_answer(job: JobRecord, plan: Plan, knowledge: Knowledge) -> Json:
    """The object that ``autoprune search --from JOB --json`` prints.

    Args:
        plan: the job's, at the budget that is asked for.
    """
    best, *others = candidates(knowledge, plan.problem)
    score = knowledge.metric.as_loss  # turning a score round twice gives it back
    predicted = plan.predict([best.widths])[0]
    return {
        "from": job.id,
        "budget": list(plan.spec.budget),
        "origin": best.origin,
        "expected_score": score(best.loss),
        "is_prediction": best.is_prediction,
        "metric": job.what["metric"],
        "evaluations": len(knowledge.evaluated),
        "predicted_latency_s": predicted["latency_s"],
        "latency_fraction": predicted["latency_s"] / plan.priced.base_s,
        **{key: value for key, value in predicted.items() if key != "latency_s"},
        "schedule": _named(plan, best.widths),
        "layers": layers_of(job, best.widths),
        "alternatives": _alternatives(plan, knowledge, others[:_ALTERNATIVES]),
    }


def _scored(knowledge: Knowledge, problem: Problem) -> list[Candidate]:
    """What was tried and is within the budget; the same widths once, at the first trial."""
    legal = {widths for widths, _ in known_in(knowledge, problem)}
    found: dict[Widths, Candidate] = {}
    for tried in knowledge.evaluated:
        if tried.widths in legal and bool(problem.feasible(tried.widths)[0]):
            candidate = Candidate(f"trial {tried.trial}", tried.widths, tried.loss, False)
            found.setdefault(tried.widths, candidate)
    return list(found.values())


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
