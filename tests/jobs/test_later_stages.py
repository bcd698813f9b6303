"""Race, ladder, measuring, finetune: what is chosen, and that a stop in between loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cheap_job
import pytest
from cheap_job import RACE, CheapEvaluator, CheapRecipe
from test_trial_loop import Counting, fresh_job

from autoprune.errors import BudgetInfeasibleError
from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult, Metric
from autoprune.jobs.context import Progress, SearchContext
from autoprune.jobs.evaluations import Evaluations, Task
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.executors.port import Completed
from autoprune.jobs.executors.processes import ProcessExecutor
from autoprune.jobs.race import RACERS, ranked
from autoprune.jobs.runner import LaterStages
from autoprune.trials.records import FinalistRecord, Json

FAST = CheapRecipe(0.0)


@dataclass
class FakeBench:
    """Measures what is predicted, times a factor; the budget is one second.

    Args:
        slower: factor of a schedule's latency, and whether it is measured alone.
    """

    slower: Callable[[tuple[int, ...], bool], float] = lambda widths, alone: 1.0
    limit_s: float = 1.0
    seen: list[tuple[tuple[int, ...], ...]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def measure(self, schedules: Sequence[tuple[int, ...]], progress: Progress) -> list[Json]:
        self.before()
        self.seen.append(tuple(schedules))
        found = [self._seconds(widths, len(schedules) == 1) for widths in schedules]
        return [{"ratio": s / 2, "latency_s": s, "fits": s <= self.limit_s} for s in found]

    def _seconds(self, widths: tuple[int, ...], alone: bool) -> float:
        predicted = cheap_job.predicted_s(cheap_job.make_problem(1), widths)
        return predicted * self.slower(widths, alone)


@dataclass
class FakeFinetuner:
    """Can be killed in its first run."""

    stop: bool = False
    chosen: list[FinalistRecord] = field(default_factory=list)
    cleaned: int = 0

    def run(self, context: SearchContext, chosen: FinalistRecord) -> Json:
        if self.stop:
            self.stop = False
            raise KeyboardInterrupt
        self.chosen.append(chosen)
        weights = chosen.result.weights if chosen.result else None
        return {"weights": weights, "epochs": 0, "validation": {}, "test": {}}

    def clean_up(self, context: SearchContext) -> None:
        self.cleaned += 1


def stages_of(bench: Any, finetuner: FakeFinetuner) -> LaterStages:
    return LaterStages(None if bench is None else lambda: bench, finetuner)


def finalists(folder: Path, job: str) -> list[FinalistRecord]:
    return cheap_job.open_store(folder).finalists(job)


def test_the_race_scores_the_eight_best_and_a_ladder_in_terms_of_the_budget(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 40)
    cheap_job.drive(tmp_path, job, recipe=FAST)
    found = finalists(tmp_path, job)
    racers = [f for f in found if f.origin == "race"]
    trials = cheap_job.open_store(tmp_path).trials(job)
    best = sorted(
        {t.widths: t.result.score for t in trials if t.result}.items(), key=lambda i: i[1]
    )
    assert [f.widths for f in racers] == [widths for widths, _ in best[:8]]
    assert len({f.widths for f in found}) == len(found)
    rungs = {f.origin: f for f in found if f.origin.startswith("ladder")}
    for origin, rung in rungs.items():
        fraction = float(origin.split()[1].rstrip("%")) / 100
        assert fraction - 0.05 < rung.predicted["latency_s"] <= fraction
    winner = min(racers, key=lambda f: f.result.score)  # type: ignore[union-attr]
    whole = rungs["ladder 100%"]
    assert whole.predicted["latency_s"] > 1 - cheap_job.MARGIN > winner.predicted["latency_s"]
    assert all(w >= n for w, n in zip(whole.widths, winner.widths, strict=True))


def test_a_metric_to_be_maximised_turns_every_ranking_round(tmp_path: Path) -> None:
    (tmp_path / "max").mkdir()
    store = cheap_job.open_store(tmp_path / "max")
    job = cheap_job.create(store, "random", 30, direction="maximize")
    finetuner = FakeFinetuner()
    cheap_job.drive(tmp_path / "max", job, recipe=FAST, stages=stages_of(FakeBench(), finetuner))
    scores = [
        f.result.score
        for f in store.finalists(job)
        if f.result is not None and 0.95 <= f.predicted["latency_s"] <= 1.0
    ]
    (chosen,) = finetuner.chosen
    assert chosen.result is not None
    assert chosen.result.score == max(score for score in scores if score is not None)
    racers = [f for f in store.finalists(job) if f.origin == "race"]
    worst_racer = min(store.trials(job)[f.trial].result.score for f in racers)  # type: ignore[union-attr]
    better = [t for t in store.trials(job) if t.result and t.result.score > worst_racer]
    assert len(better) < RACERS


def by_rank(folder: Path, job: str) -> list[FinalistRecord]:
    return ranked(finalists(folder, job), Metric("loss", "minimize"))


def test_the_best_score_that_fits_and_uses_the_budget_is_chosen(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 30)
    finetuner = FakeFinetuner()
    stages = stages_of(FakeBench(), finetuner)
    cheap_job.drive(tmp_path, job, recipe=FAST, stages=stages)
    used = [f.slot for f in by_rank(tmp_path, job) if 0.95 <= f.predicted["latency_s"] <= 1.0]
    assert finetuner.chosen[0].slot == used[0]
    assert finetuner.cleaned == 1


def test_a_faster_device_than_predicted_leaves_no_more_than_5_percent_unused(
    tmp_path: Path,
) -> None:
    job = fresh_job(tmp_path, "legr", 30)
    finetuner = FakeFinetuner()
    stages = stages_of(FakeBench(lambda widths, alone: 0.9), finetuner)
    cheap_job.drive(tmp_path, job, recipe=FAST, stages=stages)
    (chosen,) = finetuner.chosen
    assert chosen.origin.startswith("extra")
    assert chosen.measured is not None
    assert 0.95 <= chosen.measured["latency_s"] <= 1.0


def test_what_does_not_fit_again_alone_gives_way_to_the_next(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 30)
    refused: list[tuple[int, ...]] = []

    def slower(widths: tuple[int, ...], alone: bool) -> float:
        if alone and not refused:
            refused.append(widths)
        return 1.2 if alone and widths in refused else 1.0

    finetuner = FakeFinetuner()
    cheap_job.drive(tmp_path, job, recipe=FAST, stages=stages_of(FakeBench(slower), finetuner))
    used = [f for f in by_rank(tmp_path, job) if 0.95 <= f.predicted["latency_s"] <= 1.0]
    assert used[0].widths == refused[0]
    assert used[0].measured is not None
    assert not used[0].measured["fits"]
    assert finetuner.chosen[0].slot == used[1].slot


def test_a_slower_device_gets_further_rungs_and_the_digest_stays(tmp_path: Path) -> None:
    plain = fresh_job(tmp_path / "plain", "legr", 30)
    expected = cheap_job.drive(tmp_path / "plain", plain, recipe=FAST)
    job = fresh_job(tmp_path / "slow", "legr", 30)
    bench = FakeBench(lambda widths, alone: 1.15)
    finetuner = FakeFinetuner()
    found = cheap_job.drive(tmp_path / "slow", job, recipe=FAST, stages=stages_of(bench, finetuner))
    assert found == expected
    (chosen,) = finetuner.chosen
    assert chosen.origin.startswith("extra")
    assert chosen.result is not None
    assert chosen.measured is not None
    assert 0.9 <= chosen.measured["latency_s"] <= 1.0
    slots = [f.slot for f in finalists(tmp_path / "slow", job)]
    assert len(set(slots)) == len(slots)


def test_a_budget_that_no_network_meets_when_measured_says_so(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 20)
    stages = stages_of(FakeBench(lambda widths, alone: 1e3), FakeFinetuner())
    with pytest.raises(BudgetInfeasibleError, match="no finalist meets the budget when measured"):
        cheap_job.drive(tmp_path, job, recipe=FAST, stages=stages)


def test_no_worker_is_alive_while_networks_are_measured(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 20)
    executor = ProcessExecutor(FAST, 2, start_method="fork")
    seen: list[list[int]] = []
    started: list[list[int]] = []

    def before() -> None:
        seen.append(executor.pids)

    submit = executor.submit

    def note(ticket: str, request: EvaluationRequest) -> None:
        submit(ticket, request)
        started.append(executor.pids)

    executor.submit = note  # type: ignore[method-assign]
    bench = FakeBench(lambda widths, alone: 1.15, before=before)
    stages = stages_of(bench, FakeFinetuner())
    cheap_job.drive(tmp_path, job, executor=executor, stages=stages)
    assert started[0]
    assert len(seen) >= 2
    assert not any(seen)


def test_without_the_device_the_winner_is_taken_as_predicted(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 20)
    cheap_job.drive(tmp_path, job, recipe=FAST, stages=stages_of(None, FakeFinetuner()))
    chosen = cheap_job.open_store(tmp_path).job(job).results["chosen"]
    assert chosen["status"] == "predicted"
    aim = 1 - cheap_job.MARGIN + 1e-9
    aimed = [f.slot for f in by_rank(tmp_path, job) if f.predicted["latency_s"] <= aim]
    assert chosen["slot"] == aimed[0]


def test_a_stop_in_the_finetune_measures_nothing_again(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 20)
    bench, finetuner = FakeBench(), FakeFinetuner(stop=True)
    with pytest.raises(KeyboardInterrupt):
        cheap_job.drive(tmp_path, job, recipe=FAST, stages=stages_of(bench, finetuner))
    measured = len(bench.seen)
    counting = Counting()
    cheap_job.drive(
        tmp_path, job, executor=InlineExecutor(counting), stages=stages_of(bench, finetuner)
    )
    assert len(bench.seen) == measured
    assert counting.seen.total() == 0
    assert cheap_job.open_store(tmp_path).job(job).state == "finished"


@pytest.mark.parametrize("stop_after", [21, 23, 26, 28, 30])
def test_a_stop_in_the_race_resumes_to_the_same_digest(tmp_path: Path, stop_after: int) -> None:
    expected = cheap_job.drive(
        tmp_path / "whole", fresh_job(tmp_path / "whole", "tpe", 20), recipe=FAST
    )
    job = fresh_job(tmp_path / "stopped", "tpe", 20)
    with pytest.raises(KeyboardInterrupt):
        cheap_job.drive(tmp_path / "stopped", job, executor=InlineExecutor(Counting(stop_after)))
    assert cheap_job.drive(tmp_path / "stopped", job, recipe=FAST) == expected


@dataclass
class FailsInTheRace:
    """Scores trials; every finalist but the third fails."""

    raced: int = 0

    def __call__(self) -> FailsInTheRace:
        return self

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        if request.fidelity == RACE:
            self.raced += 1
            if self.raced != 3:
                return EvaluationResult(None, None, None, 0.0, error="NaN loss")
        return CheapEvaluator(0.0).evaluate(request)


def test_finalists_that_fail_leave_the_race_to_the_others(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "random", 20)
    finetuner = FakeFinetuner()
    cheap_job.drive(
        tmp_path,
        job,
        executor=InlineExecutor(FailsInTheRace()),
        stages=stages_of(FakeBench(), finetuner),
    )
    assert finetuner.chosen[0].slot == 2


class AllAtOnce:
    """An executor whose answers come together, as two workers' may."""

    def __init__(self) -> None:
        self._queue: list[tuple[str, EvaluationRequest]] = []

    def submit(self, ticket: str, request: EvaluationRequest) -> None:
        self._queue.append((ticket, request))

    def wait(self, timeout_s: float) -> list[Completed]:
        answers = [Completed(t, CheapEvaluator(0.0).evaluate(r)) for t, r in self._queue]
        self._queue.clear()
        return answers

    def close(self) -> None:
        self._queue.clear()


def test_waiting_for_one_evaluation_keeps_the_answers_of_others(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 5)
    store = cheap_job.open_store(tmp_path)
    lease = store.acquire(job, "test", 60.0)
    evaluations = Evaluations(cheap_job.context_of(store, lease, AllAtOnce()))
    widths = cheap_job.make_problem(5).groups[0].choices
    for number in range(4):
        row = (widths[number],) * 6
        evaluations.start(Task(str(number), f"key{number}", row, RACE))
    evaluations.run(Task("wanted", "key", (widths[-1],) * 6, RACE))
    assert sorted(ticket for ticket, _ in evaluations.next()) == ["0", "1", "2", "3"]
