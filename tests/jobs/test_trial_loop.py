"""The trial loop: exact trial counts, one digest whatever happens on the way, audits, reuse."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cheap_job
import pytest
from cheap_job import CheapEvaluator, CheapRecipe
from sqlalchemy import create_engine, text

from autoprune.errors import AutopruneError, LeaseLostError, ReplayMismatchError
from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.executors.port import Executor
from autoprune.jobs.executors.processes import ProcessExecutor
from autoprune.jobs.executors.ray_actors import RayExecutor
from autoprune.jobs.history import TELLS_PER_CHECKPOINT
from autoprune.trials.records import NewTrial

SEARCHERS = ("amc", "netadapt", "legr", "tpe", "uniform", "random")
FAST = CheapRecipe(0.0)


@dataclass
class Counting:
    """Counts what is really evaluated, and can stop the driver after so many."""

    stop_after: int | None = None
    seen: Counter[str] = field(default_factory=Counter)

    def __call__(self) -> Counting:
        return self

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        if self.stop_after is not None and self.seen.total() >= self.stop_after:
            raise KeyboardInterrupt
        self.seen[repr((request.widths, request.fidelity.steps, request.start))] += 1
        return CheapEvaluator(0.0).evaluate(request)


def fresh_job(folder: Path, searcher: str, trials: int, **more: int) -> str:
    folder.mkdir(exist_ok=True)
    return cheap_job.create(cheap_job.open_store(folder), searcher, trials, **more)


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_trials_are_exactly_as_many_as_asked_for(tmp_path: Path, searcher: str) -> None:
    job = fresh_job(tmp_path, searcher, 40)
    cheap_job.drive(tmp_path, job, recipe=FAST)
    trials = cheap_job.open_store(tmp_path).trials(job)
    assert len(trials) == (1 if searcher == "uniform" else 40)
    assert all(trial.state == "told" for trial in trials)


def test_resuming_a_finished_job_changes_nothing(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 20)
    before = cheap_job.drive(tmp_path, job, recipe=FAST)
    counting = Counting()
    after = cheap_job.drive(tmp_path, job, executor=InlineExecutor(counting))
    assert after == before
    assert counting.seen.total() == 0
    assert len(cheap_job.open_store(tmp_path).trials(job)) == 20


def test_processes_and_ray_give_the_digest_of_one_process(tmp_path: Path) -> None:
    def digest_with(name: str, executor: Executor) -> str:
        folder = tmp_path / name
        job = fresh_job(folder, "netadapt", 30)
        return cheap_job.drive(folder, job, executor=executor)

    expected = digest_with("one", InlineExecutor(FAST))
    assert digest_with("three", ProcessExecutor(FAST, 3, start_method="fork")) == expected
    assert digest_with("ray", RayExecutor(FAST, 2)) == expected


def test_postgresql_gives_the_digest_of_sqlite(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "pg").mkdir()
    job = fresh_job(tmp_path / "lite", "legr", 30)
    expected = cheap_job.drive(tmp_path / "lite", job, recipe=FAST)
    store = cheap_job.open_store(tmp_path / "pg", postgres_url)
    job = cheap_job.create(store, "legr", 30)
    assert cheap_job.drive(tmp_path / "pg", job, recipe=FAST, url=postgres_url) == expected


@pytest.mark.parametrize("searcher", ["amc", "netadapt", "tpe"])
def test_a_stop_at_any_trial_resumes_to_the_same_digest(tmp_path: Path, searcher: str) -> None:
    expected = cheap_job.drive(
        tmp_path / "whole", fresh_job(tmp_path / "whole", searcher, 24), recipe=FAST
    )
    for stop_after in (1, 5, 11, 17, 23, 26):
        folder = tmp_path / f"stop{stop_after}"
        job = fresh_job(folder, searcher, 24)
        with pytest.raises(KeyboardInterrupt):
            cheap_job.drive(folder, job, executor=InlineExecutor(Counting(stop_after)))
        assert cheap_job.drive(folder, job, recipe=FAST) == expected


@pytest.mark.parametrize("searcher", ["amc", "legr", "netadapt", "tpe"])
def test_a_checkpoint_spares_the_replay_and_keeps_the_digest(
    tmp_path: Path, searcher: str, tells: list[int]
) -> None:
    trials = TELLS_PER_CHECKPOINT + 30
    expected = cheap_job.drive(
        tmp_path / "whole", fresh_job(tmp_path / "whole", searcher, trials), recipe=FAST
    )
    job = fresh_job(tmp_path / "stopped", searcher, trials)
    stopping = InlineExecutor(Counting(TELLS_PER_CHECKPOINT + 15))
    with pytest.raises(KeyboardInterrupt):
        cheap_job.drive(tmp_path / "stopped", job, executor=stopping)
    checkpoint = cheap_job.open_store(tmp_path / "stopped").checkpoint(job)
    assert checkpoint is not None
    assert checkpoint.tells == TELLS_PER_CHECKPOINT
    tells.clear()
    assert cheap_job.drive(tmp_path / "stopped", job, recipe=FAST) == expected
    assert min(tells) == TELLS_PER_CHECKPOINT


def test_a_history_the_searcher_would_not_repeat_stops_the_job(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 20)
    with pytest.raises(KeyboardInterrupt):
        cheap_job.drive(tmp_path, job, executor=InlineExecutor(Counting(8)))
    with create_engine(f"sqlite:///{tmp_path / 'trials.db'}").begin() as connection:
        connection.execute(text("update trials set purpose = 'step' where \"index\" = 3"))
    with pytest.raises(ReplayMismatchError, match="at trial 3"):
        cheap_job.drive(tmp_path, job, recipe=FAST)


def test_failures_fail_their_trial_and_not_the_job(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "random", 30)
    problem = cheap_job.make_problem(30)
    failing = tuple(problem.groups[0].choices[::2])
    cheap_job.drive(tmp_path, job, recipe=CheapRecipe(0.0, failing))
    results = [trial.result for trial in cheap_job.open_store(tmp_path).trials(job)]
    errors = [result.error for result in results if result is not None and result.error]
    assert 0 < len(errors) < 30
    assert set(errors) == {"NaN loss"}


def test_a_search_where_everything_fails_says_what_failed(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "random", 10)
    everything = tuple(cheap_job.make_problem(10).groups[0].choices)
    with pytest.raises(AutopruneError, match=r"none of 10 trials .* NaN loss"):
        cheap_job.drive(tmp_path, job, recipe=CheapRecipe(0.0, everything))


def test_a_second_job_reuses_the_scores_of_the_first(tmp_path: Path) -> None:
    first = fresh_job(tmp_path, "legr", 30)
    expected = cheap_job.drive(tmp_path, first, recipe=FAST)
    counting = Counting()
    second = fresh_job(tmp_path, "legr", 30)
    assert cheap_job.drive(tmp_path, second, executor=InlineExecutor(counting)) == expected
    searched = [key for key in counting.seen if ", 1, None)" in key]
    assert searched == []


def test_netadapt_evaluates_nothing_twice_and_keeps_only_weights_it_can_start_from(
    tmp_path: Path,
) -> None:
    job = fresh_job(tmp_path, "netadapt", 40)
    counting = Counting()
    cheap_job.drive(tmp_path, job, executor=InlineExecutor(counting))
    assert max(counting.seen.values()) == 1
    trials = cheap_job.open_store(tmp_path).trials(job)
    assert any(trial.start_from is not None for trial in trials)
    assert len(list((tmp_path / "artifacts").iterdir())) < 20


def test_deleted_weights_are_made_again(tmp_path: Path) -> None:
    expected = cheap_job.drive(
        tmp_path / "whole", fresh_job(tmp_path / "whole", "netadapt", 40), recipe=FAST
    )
    folder = tmp_path / "stopped"
    job = fresh_job(folder, "netadapt", 40)
    with pytest.raises(KeyboardInterrupt):
        cheap_job.drive(folder, job, executor=InlineExecutor(Counting(22)))
    for file in (folder / "artifacts").iterdir():
        file.unlink()
    assert cheap_job.drive(folder, job, recipe=FAST) == expected


def test_a_driver_that_lost_its_job_writes_nothing(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 10)
    store = cheap_job.open_store(tmp_path)
    old = store.acquire(job, "elsewhere/1/1/x", 60.0)
    store.acquire(job, "elsewhere/2/2/y", 60.0, steal=True)
    trial = NewTrial(0, "candidate", (1,) * 6, None, {}, "key")
    with pytest.raises(LeaseLostError):
        store.commit(old, asked=[trial])
    assert store.trials(job) == []


def test_a_live_driver_elsewhere_keeps_its_job(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "legr", 10)
    cheap_job.open_store(tmp_path).acquire(job, "elsewhere/1/1/x", 60.0)
    with pytest.raises(LeaseLostError, match="elsewhere"):
        cheap_job.drive(tmp_path, job, recipe=FAST)


@dataclass
class Hungry:
    """Runs out of memory on some widths: the first time only, or always."""

    always: bool
    seen: Counter[str] = field(default_factory=Counter)

    def __call__(self) -> Hungry:
        return self

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        widths = list(request.widths.values())
        self.seen[str(widths)] += 1
        if widths[0] % 4 == 0 and (self.always or self.seen[str(widths)] == 1):
            return EvaluationResult(None, None, None, 0.0, error="MemoryError: no room")
        return CheapEvaluator(0.0).evaluate(request)


def test_what_runs_out_of_memory_once_is_scored_alone(tmp_path: Path) -> None:
    expected = cheap_job.drive(
        tmp_path / "whole", fresh_job(tmp_path / "whole", "random", 20), recipe=FAST
    )
    job = fresh_job(tmp_path / "hungry", "random", 20)
    hungry = InlineExecutor(Hungry(always=False))
    assert cheap_job.drive(tmp_path / "hungry", job, executor=hungry) == expected
    assert not cheap_job.open_store(tmp_path / "hungry").job(job).timing_dependent


def test_what_always_runs_out_of_memory_is_a_verdict_that_marks_the_job(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "random", 20)
    cheap_job.drive(tmp_path, job, executor=InlineExecutor(Hungry(always=True)))
    store = cheap_job.open_store(tmp_path)
    failed = [t for t in store.trials(job) if t.result is not None and t.result.error]
    assert 0 < len(failed) < 20
    assert store.job(job).timing_dependent
