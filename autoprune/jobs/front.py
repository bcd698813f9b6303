"""The front of a job: the trials that no other beats in both latency and score.

A trial that starts from another trial's weights has been finetuned for longer than its steps say,
and its score is flattered. So the front is computed over the trials from the base weights, and
goes on with the others only below the fastest of these, where there is nothing else to show. Both
parts are fronts of their own: no trial of one beats a trial of the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from autoprune.budget import latency_key
from autoprune.evaluation.contract import Metric
from autoprune.export.front_figures import Front, FrontPoint, Landmark
from autoprune.export.schedule import MetricReference
from autoprune.trials.records import JobRecord, Json, TrialRecord
from autoprune.trials.store import TrialStore


def read_front(store: TrialStore, job_id: str) -> Front:
    """The front of a job in any state, over the trials told so far; empty before the first."""
    job = store.job(job_id)
    points = _points(job, store.trials(job.id))
    return Front(
        job=job.id,
        state=job.state,
        budget=tuple(job.how["budget"]),
        limit_s=job.what["limits"].get(latency_key(job.base.get("primary", ""))),
        metric=MetricReference(**job.what["metric"]),
        trials=job.what["trials"],
        points=tuple(points),
        best=tuple(front_of(points, Metric(**job.what["metric"]))),
        unpruned=Landmark(
            "unpruned network, measured",
            job.base["measured_latency_s"],
            job.base["score"],
            job.base["accuracy"],
        ),
        chosen=_chosen(store, job),
    )


def front_rows(front: Front) -> list[Json]:
    """The list that `autoprune show JOB --front --json` prints, fastest first."""
    return [asdict(point) for point in front.best]


def front_of(points: Sequence[FrontPoint], metric: Metric) -> list[FrontPoint]:
    """The points on the front, by this module's rule, fastest first; a repeated one once."""
    distinct: dict[Any, FrontPoint] = {}
    for point in points:
        distinct.setdefault((tuple(point.widths.values()), point.start_from), point)
    base = [point for point in distinct.values() if point.start_from is None]
    fastest = min((point.predicted_latency_s for point in base), default=math.inf)
    beyond = [
        point
        for point in distinct.values()
        if point.start_from is not None and point.predicted_latency_s < fastest
    ]
    return [*_unbeaten(beyond, metric), *_unbeaten(base, metric)]


def unbeaten(costs: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the pairs that no other pair beats, ascending by the first value.

    One beats another when it is at most as large in both values and smaller in one: equal pairs
    do not beat each other.
    """
    kept: list[int] = []
    for place in sorted(range(len(costs)), key=costs.__getitem__):
        last = costs[kept[-1]] if kept else None
        if last is None or costs[place][1] < last[1] or costs[place] == last:
            kept.append(place)
    return kept


def _unbeaten(points: Sequence[FrontPoint], metric: Metric) -> list[FrontPoint]:
    costs = [(point.predicted_latency_s, metric.as_loss(point.score)) for point in points]
    return [points[place] for place in unbeaten(costs)]


def _points(job: JobRecord, trials: Sequence[TrialRecord]) -> list[FrontPoint]:
    """Every trial that was told with a score; probes are none."""
    names = [group["name"] for group in job.what["groups"]]
    return [
        FrontPoint(
            trial=trial.index,
            purpose=trial.purpose,
            widths=dict(zip(names, trial.widths, strict=True)),
            predicted_latency_s=trial.predicted["latency_s"],
            latency_fraction=trial.predicted["latency_s"] / job.base["measured_latency_s"],
            macs=trial.predicted.get("macs"),
            score=trial.result.score,
            accuracy=trial.result.accuracy,
            start_from=trial.start_from,
        )
        for trial in trials
        if trial.state == "told" and trial.purpose != "probe"
        if trial.result is not None and trial.result.score is not None
    ]


def _chosen(store: TrialStore, job: JobRecord) -> Landmark | None:
    """The chosen finalist, with its score of the race's fidelity."""
    slot = job.results.get("chosen", {}).get("slot")
    found = next((f for f in store.finalists(job.id) if f.slot == slot), None)
    if found is None or found.result is None or found.result.score is None:
        return None
    return Landmark(
        f"chosen: {found.origin}, trial {found.trial}, predicted",
        found.predicted["latency_s"],
        found.result.score,
        found.result.accuracy,
    )
