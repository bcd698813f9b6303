"""One job from wherever it stands to its end: search, race, measure, finetune."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from autoprune.jobs.choosing import Choice
from autoprune.jobs.context import Progress, SearchContext
from autoprune.jobs.evaluations import Evaluations
from autoprune.jobs.measuring import Bench
from autoprune.jobs.race import contenders, run_race
from autoprune.jobs.ranking import warn_of_ranking
from autoprune.jobs.trial_loop import TrialLoop
from autoprune.trials.records import FinalistRecord, Json


class Finetuner(Protocol):
    """The final finetune of the chosen network, and what it scores before and after."""

    def run(self, context: SearchContext, chosen: FinalistRecord) -> Json:
        """Train from the chosen finalist's weights; goes on from the last epoch's checkpoint."""
        ...

    def clean_up(self, context: SearchContext) -> None:
        """Delete the checkpoints, once the result is stored."""
        ...


class Learner(Protocol):
    """What a job's measurements say of the calibration it was planned with."""

    def learn(self, measured: Sequence[FinalistRecord], progress: Progress) -> Json | None:
        """What was learned, as the export records it; None where there was nothing to learn."""
        ...


@dataclass(frozen=True)
class LaterStages:
    """What comes after the race.

    Args:
        bench: None when the device is not at hand: the export is marked ``predicted``.
        learner: None where measurements are of no use to a later job.
        packager: what a job is not finished without; gives the results to keep of it.
    """

    bench: Callable[[], Bench] | None
    finetuner: Finetuner
    learner: Learner | None = None
    packager: Callable[[], Json] | None = None


def run_search_and_race(context: SearchContext) -> list[FinalistRecord]:
    """The part of a job that its digest covers; returns the finalists, best first."""
    evaluations = Evaluations(context)
    stage = context.job.stage
    if stage == "search":
        context.progress("stage", {"stage": "search"})
        TrialLoop(context, evaluations).run()
        _enter(context, "race")
    if stage in ("search", "race"):
        context.progress("stage", {"stage": "race"})
        ranking = run_race(context, evaluations)
        warn_of_ranking(context)
        _enter(context, "measure")
        return ranking
    return run_race(context, evaluations)  # everything is scored: reads the database


def run_job(context: SearchContext, stages: LaterStages) -> None:
    """Run every stage that is still to do."""
    ranking = run_search_and_race(context)
    results = dict(context.store.job(context.job.id).results)
    if "chosen" not in results:
        context.progress("stage", {"stage": "measure"})
        found = _choose(context, stages, ranking)
        found["chosen"]["why"] = context.explain(_finalist(context, found["chosen"]["slot"]).widths)
        results.update(found)
        _enter(context, "finetune", found)
    if "final" not in results:
        context.progress("stage", {"stage": "finetune"})
        chosen = _finalist(context, results["chosen"]["slot"])
        final = stages.finetuner.run(context, chosen)
        _enter(context, "done", {"final": final})
    packed = stages.packager() if stages.packager else None
    context.store.commit(context.lease, state="finished", results=packed)
    stages.finetuner.clean_up(context)


def _choose(context: SearchContext, stages: LaterStages, ranking: list[FinalistRecord]) -> Json:
    """Results ``chosen`` and ``learned``; without the device, the best within the search's aim."""
    ranking = contenders(ranking)
    if stages.bench is None:
        aimed = context.problem.feasible([finalist.widths for finalist in ranking])
        within = (f for f, fits in zip(ranking, aimed, strict=True) if fits)
        best = next(within, ranking[0])
        return {"chosen": {"slot": best.slot, "status": "predicted"}}
    choice = Choice(context, stages.bench())
    chosen = choice.make(ranking)
    found: Json = {"chosen": {"slot": chosen.slot, "status": "measured", **(chosen.measured or {})}}
    learned = stages.learner and stages.learner.learn(choice.measured, context.progress)
    return {**found, "learned": learned} if learned else found


def _finalist(context: SearchContext, slot: int) -> FinalistRecord:
    return context.store.finalist(context.job.id, slot)


def _enter(context: SearchContext, stage: str, results: Json | None = None) -> None:
    wish = context.store.commit(
        context.lease, events=[("stage", {"stage": stage})], stage=stage, results=results
    )
    context.heed(wish)
