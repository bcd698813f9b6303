"""Schedules for another budget from what a job knows: nothing is trained for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoprune.errors import InputError
from autoprune.jobs.knowledge import LEAST, Knowledge
from autoprune.jobs.start import Start, Widths
from searchers.contract import Problem, Suggestion
from searchers.projection import widen
from searchers.solver import Solver

_WIDENED = 3


@dataclass(frozen=True)
class Candidate:
    """A schedule within a budget.

    Args:
        origin: ``the solver's model``, ``LeGR's ranking``, or a trial: ``trial 17`` as it was, or
            ``trial 17, widened``.
        loss: what that trial scored, or what the solver's model expects.
        gap: of the solver's answer to the minimum of its model (:attr:`searchers.Solver.gap`).
    """

    origin: str
    widths: Widths
    loss: float
    is_prediction: bool
    gap: float | None = None


def candidates(knowledge: Knowledge, problem: Problem, capacity: float = 0.0) -> list[Candidate]:
    """Every schedule that a job's knowledge gives at a problem's budget, best first.

    Args:
        problem: the job's groups at any budget; evaluations at widths it lacks are left out.
        capacity: the solver's option; what is best is so with what narrow layers will add.

    Raises:
        InputError: too few evaluations are legal there.
    """
    solver = _taught(knowledge, problem, capacity)
    scored = _scored(knowledge, problem)
    answer = widen(problem, solver.answer())  # by the model a wider one is never worse
    given = {answer: "the solver's model"}
    if knowledge.ranking is not None:
        given.setdefault(knowledge.ranking.widths(problem), "LeGR's ranking")
    tried = {found.widths for found in scored}
    expected = zip(given.items(), solver.expected(list(given)).tolist(), strict=True)
    guesses = [
        Candidate(origin, widths, loss, True, solver.gap if widths == answer else None)
        for (widths, origin), loss in expected
        if widths not in tried
    ]
    widened = _widened(_best_first(scored, solver)[:_WIDENED], solver)
    return _best_first([*guesses, *widened, *scored], solver)


def _best_first(found: Sequence[Candidate], solver: Solver) -> list[Candidate]:
    losses = solver.foreseen([each.widths for each in found], [each.loss for each in found])
    return [found[int(index)] for index in np.argsort(losses, kind="stable")]


def _taught(knowledge: Knowledge, problem: Problem, capacity: float) -> Solver:
    """The solver with all that is known, and with the probes that the database holds."""
    known = known_in(knowledge, problem)
    if len(known) < LEAST:
        raise InputError(
            f"{len(known)} evaluations of job {knowledge.job} are at widths that are legal under "
            f"this budget, expected {LEAST} at least: search without --from"
        )
    solver = Solver(problem, capacity=capacity, known=known)
    for _ in range(solver.probes):
        if isinstance(probe := solver.ask(), Suggestion):
            solver.tell(probe.id, knowledge.probed(probe.widths))
    return solver


def _widened(scored: Sequence[Candidate], solver: Solver) -> list[Candidate]:
    """Trials that leave some of the budget, at the widths that use it.

    A trial's score is as it came, and a model's are drawn towards the mean: under a looser budget
    the trial would win although it wastes the difference. So it competes with what it could be.
    """
    found = []
    for trial in scored:
        widths = widen(solver.problem, trial.widths)
        before, after = solver.expected([trial.widths, widths]).tolist()
        positive = min(before, after, trial.loss) > 0.0
        loss = trial.loss * after / before if positive else trial.loss + after - before
        if widths != trial.widths:
            found.append(Candidate(f"{trial.origin}, widened", widths, loss, is_prediction=True))
    return found


def known_in(knowledge: Knowledge, problem: Problem) -> list[tuple[Widths, float]]:
    """The evaluations at widths that are legal in a problem."""
    choices = [set(group.choices) for group in problem.groups]
    return [
        (found.widths, found.loss)
        for found in knowledge.evaluated
        if all(width in legal for width, legal in zip(found.widths, choices, strict=True))
    ]


def start_of(
    knowledge: Knowledge, problem: Problem, capacity: float = 0.0, *, comparable: bool
) -> Start:
    """What a new job takes over.

    Args:
        problem, capacity: the new job's.
        comparable: whether it scores as the old one did; else the losses are worth nothing to it.
    """
    best = candidates(knowledge, problem, capacity)[0]
    known = known_in(knowledge, problem) if comparable else []
    return Start(tuple(known), (best.widths,))


def _scored(knowledge: Knowledge, problem: Problem) -> list[Candidate]:
    """What was tried and is within the budget; the same widths once, at the first trial."""
    legal = {widths for widths, _ in known_in(knowledge, problem)}
    found: dict[Widths, Candidate] = {}
    for tried in knowledge.evaluated:
        if tried.widths in legal and bool(problem.feasible(tried.widths)[0]):
            candidate = Candidate(f"trial {tried.trial}", tried.widths, tried.loss, False)
            found.setdefault(tried.widths, candidate)
    return list(found.values())
