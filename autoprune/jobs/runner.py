"""One job from wherever it stands to its end: search, race, measure, finetune."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from autoprune.jobs.context import SearchContext
from autoprune.jobs.evaluations import Evaluations
from autoprune.jobs.measuring import Bench, first_that_fits, measure_ranked, none_fits
from autoprune.jobs.race import EXTRA, EXTRA_RUNGS, run_race, rungs_below, score_one
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


@dataclass(frozen=True)
class LaterStages:
    """What comes after the race.

    Args:
        bench: None when the device is not at hand: the export is marked ``predicted``.
    """

    bench: Callable[[], Bench] | None
    finetuner: Finetuner


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
        _enter(context, "measure")
        return ranking
    return run_race(context, evaluations)  # everything is scored: reads the database


def run_job(context: SearchContext, stages: LaterStages) -> None:
    """Run every stage that is still to do."""
    ranking = run_search_and_race(context)
    results = dict(context.store.job(context.job.id).results)
    if "chosen" not in results:
        context.progress("stage", {"stage": "measure"})
        results["chosen"] = _choose(context, stages, ranking)
        widths = _finalist(context, results["chosen"]["slot"]).widths
        results["chosen"]["why"] = context.explain(widths)
        _enter(context, "finetune", {"chosen": results["chosen"]})
    if "final" not in results:
        context.progress("stage", {"stage": "finetune"})
        chosen = _finalist(context, results["chosen"]["slot"])
        final = stages.finetuner.run(context, chosen)
        _enter(context, "done", {"final": final}, finished=True)
        stages.finetuner.clean_up(context)


def _choose(context: SearchContext, stages: LaterStages, ranking: list[FinalistRecord]) -> Json:
    if stages.bench is None:
        return {"slot": ranking[0].slot, "status": "predicted"}
    context.executor.close()  # local workers would disturb the measurement
    bench = stages.bench()
    measured = measure_ranked(bench, ranking, context.progress)
    for finalist in measured:
        context.store.measure_finalist(context.lease, finalist.slot, finalist.measured or {})
    chosen = first_that_fits(measured)
    if chosen is None:
        chosen = _extra_rung(context, bench, measured)
    return {"slot": chosen.slot, "status": "measured", **(chosen.measured or {})}


def _extra_rung(
    context: SearchContext, bench: Bench, tried: list[FinalistRecord]
) -> FinalistRecord:
    """Below the ladder, one rung at a time; scored only once it fits."""
    for limit in EXTRA_RUNGS:
        known = [*context.store.finalists(context.job.id), *tried]
        for rung in rungs_below(context, tried[0], [limit], known, EXTRA):
            measured = measure_ranked(bench, [rung], context.progress)
            tried.extend(measured)
            if first_that_fits(measured) is None:
                continue
            chosen = score_one(context, Evaluations(context), measured[0])
            if chosen.result is None or chosen.result.score is None:
                continue
            context.store.save_finalists(context.lease, [chosen])
            return chosen
    raise none_fits(bench, tried)


def _finalist(context: SearchContext, slot: int) -> FinalistRecord:
    return next(f for f in context.store.finalists(context.job.id) if f.slot == slot)


def _enter(
    context: SearchContext, stage: str, results: Json | None = None, *, finished: bool = False
) -> None:
    context.store.commit(
        context.lease,
        events=[("stage", {"stage": stage})],
        stage=stage,
        state="finished" if finished else None,
        results=results,
    )
