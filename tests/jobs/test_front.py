"""The front of a job: what no other trial beats, in whatever state the job is."""

from __future__ import annotations

from pathlib import Path

import cheap_job
import numpy as np
import pytest
from cheap_job import CheapRecipe
from test_later_stages import FakeBench, FakeFinetuner, stages_of
from test_trial_loop import Counting, fresh_job

from autoprune.evaluation.contract import Metric
from autoprune.export.front import FrontPoint, front_rows
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.front import front_of, read_front, unbeaten
from autoprune.trials.records import NewTrial, Purpose, TrialResult

FAST = CheapRecipe(0.0)
LOSS = Metric("loss", "minimize")
Pairs = list[tuple[float, float]]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], []),
        ([(3.0, 7.0)], [0]),
        ([(2.0, 1.0), (1.0, 2.0), (3.0, 3.0)], [1, 0]),
        ([(1.0, 2.0), (1.0, 1.0)], [1]),
        ([(1.0, 1.0), (2.0, 1.0)], [0]),
        ([(2.0, 1.0), (1.0, 5.0), (2.0, 1.0)], [1, 0, 2]),
    ],
    ids=["none", "one", "beaten in both", "as fast", "as good", "equal pairs"],
)
def test_a_pair_is_beaten_by_one_at_most_as_large_and_smaller_in_one(
    pairs: Pairs, expected: list[int]
) -> None:
    assert unbeaten(pairs) == expected


@pytest.mark.parametrize("seed", range(20))
def test_the_unbeaten_are_those_that_a_comparison_of_all_pairs_finds(seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, 8, size=(25, 2)).astype(float)
    slow = [
        place
        for place, row in enumerate(rows)
        if not any((other <= row).all() and (other < row).any() for other in rows)
    ]
    found = unbeaten([(float(x), float(y)) for x, y in rows])
    assert sorted(found) == slow
    assert [rows[place][0] for place in found] == sorted(rows[place][0] for place in found)


def point(
    trial: int, latency_s: float, score: float, start: int | None = None, width: int | None = None
) -> FrontPoint:
    widths = {"conv": trial if width is None else width}
    return FrontPoint(
        trial, "candidate", widths, latency_s, latency_s / 2, None, score, None, start
    )


def on_front(points: list[FrontPoint], metric: Metric = LOSS) -> list[int]:
    return [each.trial for each in front_of(points, metric)]


def test_a_metric_to_be_maximised_turns_the_front_round() -> None:
    points = [point(0, 1.0, 0.9), point(1, 2.0, 0.8), point(2, 3.0, 0.95)]
    assert on_front(points) == [0, 1]
    assert on_front(points, Metric("accuracy", "maximize")) == [0, 2]


def test_accumulated_weights_beat_no_trial_from_the_base_weights() -> None:
    points = [point(0, 2.0, 0.5), point(1, 3.0, 0.4), point(2, 2.5, 0.1, start=0)]
    assert on_front(points) == [0, 1]


def test_accumulated_weights_go_on_where_no_trial_from_the_base_weights_is_as_fast() -> None:
    points = [
        point(0, 2.0, 0.5),
        point(1, 1.0, 0.4, start=0),
        point(2, 1.5, 0.45, start=0),
        point(3, 0.5, 0.7, start=1),
    ]
    assert on_front(points) == [3, 1, 0]
    assert on_front(points[1:]) == [3, 1]


def test_a_schedule_tried_twice_counts_once_and_a_tie_of_two_stays() -> None:
    same = [point(0, 1.0, 0.5, width=8), point(1, 1.0, 0.5, width=8)]
    assert on_front(same) == [0]
    assert on_front([*same, point(2, 1.0, 0.5, width=16)]) == [0, 2]


def test_every_told_trial_with_a_score_is_a_point_and_probes_are_none(tmp_path: Path) -> None:
    store = cheap_job.open_store(tmp_path)
    job = cheap_job.create(store, "random", 5)
    lease = store.acquire(job, "test", 60.0)
    asked: list[tuple[Purpose, float | None]] = [
        ("candidate", 0.5),
        ("step", 0.4),
        ("probe", 0.1),
        ("candidate", None),
        ("candidate", 0.3),
    ]
    trials = [
        NewTrial(i, purpose, (8 + i,) * 6, None, {"latency_s": 1.0 - 0.1 * i}, f"key {i}")
        for i, (purpose, _) in enumerate(asked)
    ]
    store.commit(lease, asked=trials)
    for i, (_, score) in enumerate(asked):
        store.finish_trial(lease, i, TrialResult(score, score, None, 1.0))
    store.commit(lease, told=(0, 1, 2, 3))
    front = read_front(store, job)
    assert [each.trial for each in front.points] == [0, 1]
    (row,) = front_rows(front)
    assert (row["trial"], row["purpose"], row["start_from"]) == (1, "step", None)
    assert row["latency_fraction"] == pytest.approx(row["predicted_latency_s"] / 2)
    assert row["widths"] == dict.fromkeys((f"conv{i}" for i in range(6)), 9)


def test_a_finished_job_of_netadapt_marks_what_accumulated(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "netadapt", 40)
    cheap_job.drive(tmp_path, job, recipe=FAST, stages=stages_of(FakeBench(), FakeFinetuner()))
    store = cheap_job.open_store(tmp_path)
    front = read_front(store, job)
    assert len(front.points) == 40
    assert any(each.predicted_latency_s > (front.limit_s or 0) for each in front.points)
    starts = [each.start_from for each in front.best]
    assert None in starts
    assert starts == sorted(starts, key=lambda start: start is None)  # accumulated ones are faster
    assert any(start is not None for start in starts)
    chosen = next(
        f for f in store.finalists(job) if f.slot == store.job(job).results["chosen"]["slot"]
    )
    assert front.chosen is not None
    assert front.chosen.score == (chosen.result and chosen.result.score)


def test_a_paused_job_has_the_front_of_what_was_told(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "random", 30)
    with pytest.raises(KeyboardInterrupt):
        cheap_job.drive(tmp_path, job, executor=InlineExecutor(Counting(12)))
    front = read_front(cheap_job.open_store(tmp_path), job)
    assert (front.state, front.trials, front.chosen) == ("paused", 30, None)
    assert 0 < len(front.points) <= 12
    assert front.best
