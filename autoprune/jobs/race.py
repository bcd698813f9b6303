"""Finalists: longer scores of the best schedules, and a ladder of widths around the winner.

The race rescored from the base weights at one fidelity puts all searchers on one footing. Beside
the best run controls, spread over the rest of the ranking: the best alone lie too close together
to say how well a trial's score ranks (:mod:`autoprune.jobs.ranking`). A control may win. The
search aims below the budget by the calibration's margin, so the ladder leads from the whole budget,
where the winner is widened, down to where it is narrowed. A prediction is not a measurement: the
best rung that meets the budget on the device is taken, and its score is known already.
"""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import replace

from autoprune.errors import AutopruneError
from autoprune.evaluation.contract import Metric
from autoprune.jobs.context import SearchContext
from autoprune.jobs.evaluations import Evaluations, Task
from autoprune.trials.column_types import json_text
from autoprune.trials.records import FinalistRecord, TrialLine
from searchers.contract import ProblemError
from searchers.projection import project, widen
from searchers.uniform import filled_uniform, uniform_widths

RACERS = 8
RACER, CONTROL = "race", "control"
"""Origins."""
CONTROLS = (0.25, 0.5, 0.75)
"""Where controls stand in the ranking of what is left after the racers."""
LADDER = (1.0, 0.98, 0.96, 0.94, 0.92)
"""Fractions of the budget, as predicted."""
EXTRA = "extra"
"""Origin of rungs that measuring asks for, after the digest is final."""


def ranked(finalists: Sequence[FinalistRecord], metric: Metric) -> list[FinalistRecord]:
    """Scored finalists, best first; ties go to the earlier slot. Extra rungs do not rank."""
    scored = [
        (metric.as_loss(f.result.score), f.slot, f)
        for f in finalists
        if f.result is not None and f.result.score is not None and not f.origin.startswith(EXTRA)
    ]
    return [finalist for _, _, finalist in sorted(scored, key=lambda item: item[:2])]


def contenders(ranking: Sequence[FinalistRecord]) -> list[FinalistRecord]:
    """Those that may be exported: all but the controls that lost to the best racer.

    A control was taken from far down the trials to be compared with. Among finalists near the
    budget the best score is exported, and one that happens to be near it is no reason to export a
    schedule that is known to be bad.

    Args:
        ranking: finalists, best first.
    """
    places = [place for place, finalist in enumerate(ranking) if finalist.origin == RACER]
    last = places[0] if places else len(ranking)
    return [f for place, f in enumerate(ranking) if f.origin != CONTROL or place < last]


def run_race(context: SearchContext, evaluations: Evaluations) -> list[FinalistRecord]:
    """Score the finalists and the ladder; returns them ranked. Goes on where it was stopped."""
    store, job = context.store, context.job.id
    finalists = store.finalists(job)
    if not finalists:
        finalists = _entrants(context)
        store.save_finalists(context.lease, finalists)
    finalists = _score(context, evaluations, finalists)
    if not any(f.origin.startswith("ladder") for f in finalists):
        rungs = rungs_of(context, _winner(context, finalists), LADDER, finalists)
        store.save_finalists(context.lease, rungs)
        finalists = [*finalists, *_score(context, evaluations, rungs)]
    return ranked(finalists, context.metric)


def rungs_of(
    context: SearchContext,
    winner: FinalistRecord,
    fractions: Sequence[float],
    known: Sequence[FinalistRecord],
    origin: str = "ladder",
) -> list[FinalistRecord]:
    """The winner at fractions of the budget, without schedules already known.

    Args:
        fractions: of the latency budget as predicted, descending.
        known: finalists there are; slots go on after theirs.
    """
    seen = {finalist.widths for finalist in known}
    first = 1 + max(finalist.slot for finalist in known)
    rungs: list[FinalistRecord] = []
    for fraction in fractions:
        widths = _at(context, winner.widths, fraction)
        if widths is not None and widths not in seen:
            seen.add(widths)
            slot = first + len(rungs)
            rungs.append(_finalist(context, slot, f"{origin} {fraction:.0%}", winner.trial, widths))
    return rungs


def _at(context: SearchContext, widths: tuple[int, ...], fraction: float) -> tuple[int, ...] | None:
    """The schedule narrowed or widened to a fraction of the budget; None below the floor."""
    try:
        problem = replace(context.problem, load=context.rung(fraction))
    except ProblemError:
        return None
    fits = bool(problem.feasible(widths)[0])
    return widen(problem, widths) if fits else project(problem, widths)


def score_one(
    context: SearchContext, evaluations: Evaluations, finalist: FinalistRecord
) -> FinalistRecord:
    """Score one more schedule at the race's fidelity, its weights kept."""
    result = evaluations.run(_task(context, finalist))
    return replace(finalist, result=result)


def _entrants(context: SearchContext) -> list[FinalistRecord]:
    """The best distinct candidates, and the controls."""
    distinct = _distinct(context)
    chosen = [(RACER, trial) for trial in distinct[:RACERS]]
    problem = context.problem
    uniform = {
        json_text(uniform_widths(problem).tolist()),
        json_text(list(filled_uniform(problem))),
    }
    chosen += [(CONTROL, trial) for trial in _controls(distinct[RACERS:], uniform)]
    return [
        _finalist(context, slot, origin, line.trial, tuple(json.loads(line.widths)))
        for slot, (origin, line) in enumerate(chosen)
    ]


def _distinct(context: SearchContext) -> list[TrialLine]:
    """The best trial of every candidate schedule, best first."""
    store, job, as_loss = context.store, context.job.id, context.metric.as_loss
    tally = store.tally(job)
    scored = [
        (as_loss(line.score), line)
        for line in store.first_lines(job, tally.asked + tally.probes)
        if line.purpose == "candidate" and line.score is not None
    ]
    if not scored:
        error = store.first_error(job)
        reason = f"; the first failure: {error}" if error else ""
        raise AutopruneError(f"none of {tally.asked} trials gave a schedule with a score{reason}")
    best: dict[str, TrialLine] = {}
    for _, line in sorted(scored, key=lambda item: (item[0], item[1].trial)):
        best.setdefault(line.widths, line)
    return list(best.values())


def _controls(rest: Sequence[TrialLine], uniform: Set[str]) -> list[TrialLine]:
    """Trials spread over the rest of the ranking, and the uniform schedule where it was tried.

    A search that loses to the baseline after a longer finetune exports the baseline.
    """
    places = {int(len(rest) * share) for share in CONTROLS} if rest else set()
    places |= {place for place, trial in enumerate(rest) if trial.widths in uniform}
    return [rest[place] for place in sorted(places)]


def _finalist(
    context: SearchContext, slot: int, origin: str, trial: int, widths: tuple[int, ...]
) -> FinalistRecord:
    return FinalistRecord(
        slot=slot,
        origin=origin,
        trial=trial,
        widths=widths,
        predicted=context.predict([widths])[0],
        evaluation_key=context.key(widths, context.race),
        result=None,
    )


def _task(context: SearchContext, finalist: FinalistRecord) -> Task:
    return Task(
        f"finalist {finalist.slot}",
        finalist.evaluation_key,
        finalist.widths,
        context.race,
        want_weights=True,
    )


def _score(
    context: SearchContext, evaluations: Evaluations, finalists: Sequence[FinalistRecord]
) -> list[FinalistRecord]:
    done = {finalist.slot: finalist for finalist in finalists}
    waiting = {f"finalist {f.slot}": f for f in finalists if f.result is None}
    for finalist in waiting.values():
        evaluations.start(_task(context, finalist))
    while waiting:
        for ticket, result in evaluations.next():
            finalist = replace(waiting.pop(ticket), result=result)
            wish = context.store.finish_finalist(context.lease, finalist.slot, result)
            done[finalist.slot] = finalist
            context.progress(
                "finalist",
                {
                    "slot": finalist.slot,
                    "origin": finalist.origin,
                    "trial": finalist.trial,
                    "score": result.score,
                    "accuracy": result.accuracy,
                    "of": len(finalists),
                },
            )
            context.heed(wish)
    return [done[finalist.slot] for finalist in finalists]


def _winner(context: SearchContext, finalists: Sequence[FinalistRecord]) -> FinalistRecord:
    ranking = ranked(finalists, context.metric)
    if not ranking:
        errors = [f.result.error for f in finalists if f.result is not None]
        raise AutopruneError(f"no finalist could be scored; the first failure: {errors[0]}")
    return ranking[0]
