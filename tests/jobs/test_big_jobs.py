"""What a step and a resume cost does not grow with the trials that a job has told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cheap_job
import pytest
from cheap_job import CheapEvaluator, CheapRecipe
from sqlalchemy import Engine, event, text

from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.history import TELLS_PER_CHECKPOINT, state_of, take
from autoprune.trials.store import TrialStore
from searchers.contract import Outcome, Suggestion
from searchers.random_search import RandomSearch
from searchers.seen import Seen
from searchers.testing import sample_problem

TOLD = TELLS_PER_CHECKPOINT + 20


class Stopping:
    """An evaluator, and its recipe, that is interrupted after so many evaluations."""

    def __init__(self, after: int) -> None:
        self._left = after

    def __call__(self) -> Stopping:
        return self

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        return CheapEvaluator(0.0).evaluate(request)


def stopped_job(folder: Path, searcher: str, told: int = TOLD) -> str:
    """A job that was interrupted after so many trials."""
    job = cheap_job.create(cheap_job.open_store(folder), searcher, told + 20)
    with pytest.raises(KeyboardInterrupt):
        cheap_job.drive(folder, job, executor=InlineExecutor(Stopping(told)))
    return job


def resume(folder: Path, job: str) -> str:
    return cheap_job.drive(folder, job, recipe=CheapRecipe(0.0))


@pytest.mark.parametrize("searcher", ["random", "legr"])
def test_a_late_step_runs_the_statements_of_an_early_one(
    tmp_path: Path, searcher: str, tells: list[int]
) -> None:
    statements: dict[int, list[str]] = {}

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        statements.setdefault(len(tells), []).append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        stopped_job(tmp_path, searcher, 120)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert statements[110] == statements[10]
    assert len(statements[10]) < 20


@pytest.mark.parametrize("searcher", ["random", "legr"])
def test_a_checkpoint_does_not_repeat_the_schedules_of_the_trials(
    tmp_path: Path, searcher: str
) -> None:
    sizes = []
    for times in (2, 4):
        folder = tmp_path / str(times)
        folder.mkdir()
        # As many trials planned, so that LeGR's population is as large.
        job = cheap_job.create(cheap_job.open_store(folder), searcher, 4 * TOLD)
        stopping = InlineExecutor(Stopping(times * TELLS_PER_CHECKPOINT + 5))
        with pytest.raises(KeyboardInterrupt):
            cheap_job.drive(folder, job, executor=stopping)
        checkpoint = cheap_job.open_store(folder).checkpoint(job)
        assert checkpoint is not None
        assert checkpoint.tells == times * TELLS_PER_CHECKPOINT
        sizes.append(len(checkpoint.arrays))
    assert sizes[0] == sizes[1]


def test_schedules_that_were_asked_twice_come_back_from_a_checkpoint() -> None:
    searcher = RandomSearch(sample_problem(1, trials=40, choices=8), seed=0)
    schedules = Seen()
    repeated = 0
    for _ in range(30):
        suggestion = searcher.ask()
        assert isinstance(suggestion, Suggestion)
        repeated += suggestion.widths in schedules
        schedules.add(suggestion.widths)
        searcher.tell(suggestion.id, Outcome(0.5))
    assert repeated
    checkpoint = take(searcher, 30, "digest", schedules.array(1))
    assert b"seen" not in checkpoint.arrays
    restored = RandomSearch(searcher.problem, seed=0)
    restored.restore(state_of(checkpoint, schedules.array(1)))
    assert [restored.ask() for _ in range(5)] == [searcher.ask() for _ in range(5)]


def test_an_array_that_is_not_the_schedules_stays_in_the_checkpoint() -> None:
    searcher = RandomSearch(sample_problem(1, trials=40, choices=8), seed=0)
    searcher.ask()
    others = Seen()
    others.add([1])
    restored = state_of(take(searcher, 0, "digest", others.array(1)), others.array(1))
    assert restored.arrays["seen"].tolist() == searcher.state().arrays["seen"].tolist()


def test_a_resume_reads_no_more_than_a_line_of_trials_before_the_checkpoint(
    tmp_path: Path, tells: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = stopped_job(tmp_path, "random")
    tells.clear()
    read: list[int] = []
    trials = TrialStore.trials

    def noting(store: TrialStore, job: str, start: int = 0, limit: int | None = None) -> Any:
        if len(tells) < 20 - TELLS_PER_CHECKPOINT + TOLD:  # the race reads all of them
            read.append(start)
        return trials(store, job, start, limit)

    monkeypatch.setattr(TrialStore, "trials", noting)
    resume(tmp_path, job)
    assert tells[0] == TELLS_PER_CHECKPOINT
    assert read
    assert min(read) == TELLS_PER_CHECKPOINT


@pytest.mark.parametrize("change", ["score = 0.5", "accuracy = 0.25", "widths = '[2,2,2,2,2,2]'"])
def test_a_checkpoint_of_another_history_is_passed_over(
    tmp_path: Path, tells: list[int], change: str
) -> None:
    job = stopped_job(tmp_path, "random")
    with cheap_job.open_store(tmp_path)._database.write() as session:
        session.execute(text(f'UPDATE trials SET {change} WHERE "index" = 7'))
    tells.clear()
    if change.startswith("widths"):
        with pytest.raises(Exception, match="at trial 7"):
            resume(tmp_path, job)
    else:
        resume(tmp_path, job)
    assert tells[0] == 0


@pytest.mark.parametrize("searcher", ["legr", "netadapt"])
def test_checkpoints_go_on_from_one_another(
    tmp_path: Path, tells: list[int], searcher: str
) -> None:
    whole = cheap_job.create(cheap_job.open_store(tmp_path), searcher, 130)
    expected = resume(tmp_path, whole)
    (tmp_path / "stopped").mkdir()
    job = cheap_job.create(cheap_job.open_store(tmp_path / "stopped"), searcher, 130)
    for more in (60, 50):  # the second checkpoint is of a driver that began at the first
        executor = InlineExecutor(Stopping(more))
        with pytest.raises(KeyboardInterrupt):
            cheap_job.drive(tmp_path / "stopped", job, executor=executor)
    tells.clear()
    assert resume(tmp_path / "stopped", job) == expected
    assert tells[0] == 2 * TELLS_PER_CHECKPOINT
