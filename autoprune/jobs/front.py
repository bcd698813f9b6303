"""The front of a job: the trials that no other beats in both latency and score.

A trial that starts from another trial's weights has been finetuned for longer than its steps say,
and its score is flattered. So the front is computed over the trials from the base weights, and
goes on with the others only below the fastest of these, where there is nothing else to show. Both
parts are fronts of their own: no trial of one beats a trial of the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from autoprune.budget import latency_key
from autoprune.evaluation.contract import Metric
from autoprune.export.front import Front, FrontPoint, Landmark
from autoprune.export.schedule import MetricReference
from autoprune.jobs.summary import trial_rows
from autoprune.trials.records import JobRecord, Json
from autoprune.trials.store import TrialStore


def read_front(store: TrialStore, job_id: str) -> Front:
    """The front of a job in any state, over the trials told so far; empty before the first."""
    job = store.job(job_id)
    base = job.base
    unpruned = Landmark(
        "unpruned network, measured", base["measured_latency_s"], base["score"], base["accuracy"]
    )
    points = _points(trial_rows(store, job.id), unpruned)
    return Front(
        job=job.id,
        state=job.state,
        budget=tuple(job.how["budget"]),
        limit_s=job.what["limits"].get(latency_key(base.get("primary", ""))),
        metric=MetricReference(**job.what["metric"]),
        trials=job.what["trials"],
        points=points,
        best=tuple(front_of(points, Metric(**job.what["metric"]))),
        unpruned=unpruned,
        chosen=_chosen(store, job),
        figure=base.get("figure", {}).get("name"),
    )


def front_told(document: Json, rows: Iterable[Json]) -> Front:
    """The front of a job of a server, as :func:`read_front` reads that of a database.

    Args:
        document: of :func:`autoprune.export.front.front_document`.
        rows: all trials of the job, as :func:`autoprune.jobs.summary.trial_rows` gives them.
    """
    unpruned, metric = _landmark(document["unpruned"]), document["metric"]
    # Read after the document, so that there may be more of them: the front is theirs.
    points = _points(rows, unpruned)
    return Front(
        job=document["job"],
        state=document["state"],
        budget=tuple(document["budget"]),
        limit_s=document["limit_s"],
        metric=MetricReference(**metric),
        trials=document["trials_planned"],
        points=points,
        best=tuple(front_of(points, Metric(**metric))),
        unpruned=unpruned,
        chosen=None if document["chosen"] is None else _landmark(document["chosen"]),
        figure=document.get("figure"),
    )


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


def _points(rows: Iterable[Json], unpruned: Landmark) -> tuple[FrontPoint, ...]:
    """Every trial that was told with a score; probes are none."""
    return tuple(
        FrontPoint(
            trial=row["index"],
            purpose=row["purpose"],
            widths=row["widths"],
            predicted_latency_s=row["predicted_latency_s"],
            latency_fraction=row["predicted_latency_s"] / unpruned.latency_s,
            macs=row["macs"],
            score=row["score"],
            accuracy=row["accuracy"],
            start_from=row["start_from"],
            figure=row.get("figure"),
        )
        for row in rows
        if row["state"] == "told" and row["purpose"] != "probe" and row["score"] is not None
    )


def _landmark(said: Json) -> Landmark:
    return Landmark(said["says"], said["latency_s"], said["score"], said["accuracy"])


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
