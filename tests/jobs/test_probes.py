"""Probes in a job: scored at a fidelity of their own, reused, resumed, and never counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cheap_job
import pytest
from cheap_job import PROBE, CheapEvaluator, CheapRecipe
from probing_searcher import ProbingSearcher

from autoprune.errors import AutopruneError
from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult, Fidelity, Probe
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.executors.processes import ProcessExecutor
from autoprune.jobs.summary import comparison, summarise_job, trial_rows
from autoprune.trials.records import TrialRecord
from searchers.contract import SearcherError, Suggestion

TRIALS = 10
PROBES = 12
FAST = CheapRecipe(0.0)


@dataclass
class Seeing:
    """Keeps every request, and stops the driver after so many."""

    stop_after: int | None = None
    requests: list[EvaluationRequest] = field(default_factory=list)

    def __call__(self) -> Seeing:
        return self

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        if len(self.requests) == self.stop_after:
            raise KeyboardInterrupt
        self.requests.append(request)
        return CheapEvaluator(0.0).evaluate(request)


def fresh_job(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return cheap_job.create(cheap_job.open_store(folder), ProbingSearcher.name, TRIALS)


def trials_of(folder: Path, job: str) -> list[TrialRecord]:
    return cheap_job.open_store(folder).trials(job)


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Path, str, str]:
    """Folder, job and digest of a search that nothing interrupted."""
    folder = tmp_path / "whole"
    job = fresh_job(folder)
    return folder, job, cheap_job.drive(folder, job, recipe=FAST)


def test_probes_come_on_top_of_exactly_the_trials_asked_for(whole: tuple[Path, str, str]) -> None:
    folder, job, _ = whole
    purposes = [trial.purpose for trial in trials_of(folder, job)]
    assert purposes == ["probe"] * PROBES + ["candidate"] * TRIALS
    shown = summarise_job(cheap_job.open_store(folder), job)
    assert (shown["trials"], shown["trials_told"]) == (TRIALS, TRIALS)
    assert shown["probes"]["count"] == PROBES


def test_probes_are_asked_of_the_base_weights_and_leave_none(tmp_path: Path) -> None:
    seeing = Seeing()
    cheap_job.drive(tmp_path, fresh_job(tmp_path), executor=InlineExecutor(seeing))
    probes = [request for request in seeing.requests if isinstance(request.fidelity, Probe)]
    trials = [request for request in seeing.requests if request.fidelity == cheap_job.FIDELITY]
    assert len(probes) == PROBES
    assert {request.fidelity for request in probes} == {PROBE}
    assert not any(request.want_weights or request.start for request in probes)
    assert all(request.want_weights for request in trials)
    assert trials[-1].start is not None


def test_a_stop_among_the_probes_or_the_trials_resumes_to_the_same_digest(
    tmp_path: Path, whole: tuple[Path, str, str]
) -> None:
    for stop_after in (0, 1, 5, 11, 12, 13, 20):
        folder = tmp_path / f"stop{stop_after}"
        job = fresh_job(folder)
        with pytest.raises(KeyboardInterrupt):
            cheap_job.drive(folder, job, executor=InlineExecutor(Seeing(stop_after)))
        assert cheap_job.drive(folder, job, recipe=FAST) == whole[2]


def test_several_workers_give_the_digest_of_one(
    tmp_path: Path, whole: tuple[Path, str, str]
) -> None:
    executor = ProcessExecutor(FAST, 3, start_method="fork")
    assert cheap_job.drive(tmp_path, fresh_job(tmp_path), executor=executor) == whole[2]


def test_another_job_reuses_the_scores_of_probes(whole: tuple[Path, str, str]) -> None:
    folder, _, digest = whole
    seeing, again = Seeing(), fresh_job(folder)
    assert cheap_job.drive(folder, again, executor=InlineExecutor(seeing)) == digest
    assert not any(isinstance(request.fidelity, Probe) for request in seeing.requests)
    assert summarise_job(cheap_job.open_store(folder), again)["probes"]["seconds"] == 0.0


def test_a_probe_and_a_trial_of_one_schedule_are_two_evaluations(
    whole: tuple[Path, str, str],
) -> None:
    folder, job, _ = whole
    store = cheap_job.open_store(folder)
    lease = store.acquire(job, "test", 60.0)
    context = cheap_job.context_of(store, lease, InlineExecutor(FAST))
    widths = context.problem.full.tolist()
    keys = {context.key(widths, fidelity) for fidelity in (PROBE, Probe(65), context.fidelity)}
    assert len(keys) == 3


def test_the_best_and_the_finalists_are_never_probes(whole: tuple[Path, str, str]) -> None:
    folder, job, _ = whole
    store = cheap_job.open_store(folder)
    trials, finalists = store.trials(job), store.finalists(job)
    lowest = min(trials, key=lambda trial: trial.result.score if trial.result else 1.0)
    assert lowest.purpose == "probe"  # a probe keeps nearly everything: its score is tempting
    assert summarise_job(store, job)["best"]["trial"] >= PROBES
    assert all(finalist.trial >= PROBES for finalist in finalists)


def test_probes_have_a_cost_of_their_own(tmp_path: Path) -> None:
    job = fresh_job(tmp_path)
    cheap_job.drive(tmp_path, job, recipe=CheapRecipe(0.001))
    store = cheap_job.open_store(tmp_path)
    assert summarise_job(store, job)["probes"]["seconds"] == pytest.approx(PROBES * 0.001)
    rows = trial_rows(store, job)
    assert [row["purpose"] for row in rows[PROBES - 1 : PROBES + 1]] == ["probe", "candidate"]
    of_trials = [row["seconds"] for row in rows[PROBES:]]
    assert comparison(store, job)["seconds_per_trial"] == pytest.approx(sum(of_trials) / TRIALS)


def test_a_failed_search_counts_its_trials_without_the_probes(tmp_path: Path) -> None:
    class Failing(CheapEvaluator):
        def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
            if isinstance(request.fidelity, Fidelity):
                return EvaluationResult(None, None, None, 0.0, error="NaN loss")
            return super().evaluate(request)

    with pytest.raises(AutopruneError, match=rf"none of {TRIALS} trials .* NaN loss"):
        cheap_job.drive(tmp_path, fresh_job(tmp_path), executor=InlineExecutor(Failing))


def starting_at(index: int, start: int) -> Callable[[ProbingSearcher], Suggestion]:
    """Proposals of which one starts from the weights of an earlier suggestion."""
    propose = ProbingSearcher._propose

    def proposed(searcher: ProbingSearcher) -> Suggestion:
        suggestion = propose(searcher)
        if isinstance(suggestion, Suggestion) and suggestion.id == index:
            return Suggestion(index, suggestion.widths, suggestion.purpose, start)
        return suggestion

    return proposed


@pytest.mark.parametrize(
    ("index", "start", "words"),
    [(8, 2, "probe 8 start from"), (PROBES, 3, f"candidate {PROBES} start from .* probe 3")],
)
def test_weights_neither_enter_nor_leave_a_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: int, start: int, words: str
) -> None:
    monkeypatch.setattr(ProbingSearcher, "_propose", starting_at(index, start))
    with pytest.raises(SearcherError, match=words):
        cheap_job.drive(tmp_path, fresh_job(tmp_path), recipe=FAST)
    assert len(trials_of(tmp_path, cheap_job.open_store(tmp_path).jobs()[0].id)) <= index
