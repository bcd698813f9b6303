"""`autoprune search --from JOB`: another budget from the evaluations of a job."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_program import FinishedJob, Said, expect_done, run_program, snapshot

from autoprune import composition
from autoprune.composition.origin import inherit, rebuild_plan
from autoprune.jobs.subject import load_subject
from autoprune.jobs.trial_loop import TrialLoop
from autoprune.spec import JobSpec, make_spec
from searchers.projection import widen

Search = Callable[..., Said]
QUICKLY = ("--steps", "2", "--finetune-epochs", "0", "--race-steps", "3", "--workers", "1")


def answered(job: FinishedJob, *words: str) -> dict[str, Any]:
    said = job.run("search", "--from", job.job, *words, "--json")
    return dict(expect_done(said).json)


@pytest.fixture
def copied(finished: FinishedJob, tmp_path: Path) -> FinishedJob:
    """The finished job's database where it may be written to."""
    for path in finished.folder.rglob("*"):
        if path.is_file() and "bundle" not in path.parts:
            target = tmp_path / path.relative_to(finished.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return FinishedJob(tmp_path, finished.said)


@pytest.fixture
def nothing_runs(no_long_work: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever trains, measures or evaluates fails the test."""

    def refuse(*_args: object) -> None:
        raise AssertionError("something was evaluated")

    monkeypatch.setattr("autoprune.composition.running.make_executor", refuse)
    monkeypatch.setattr("autoprune.composition.jobs.check_subject", refuse)


def test_the_answer_meets_the_budget_and_leaves_no_trace(
    finished: FinishedJob, nothing_runs: None
) -> None:
    before = snapshot(finished.folder)
    shown = answered(finished, "--budget", "50%")
    assert snapshot(finished.folder) == before
    base_s = finished.shown["base"]["measured_latency_s"]
    assert shown["predicted_latency_s"] <= 0.5 * base_s
    assert shown["latency_fraction"] == pytest.approx(shown["predicted_latency_s"] / base_s)
    assert (shown["from"], shown["budget"], shown["evaluations"]) == (finished.job, ["50%"], 4)
    for name, width in shown["schedule"].items():
        assert any(layer["out_channels"][1] == width for layer in shown["layers"].values()), name


def test_a_ranking_is_learned_again_from_what_is_stored(
    finished: FinishedJob, nothing_runs: None
) -> None:
    origin = composition.Origin.open(finished.job, str(finished.db))
    subject = load_subject(origin.spec, _say_nothing, state=origin.weights())
    knowledge = origin.knowledge(subject)
    assert knowledge.ranking is not None
    assert knowledge.ranking.loss == min(found.loss for found in knowledge.evaluated)


def test_at_its_own_budget_a_job_answers_with_its_trials_and_what_may_be_better(
    finished: FinishedJob, nothing_runs: None
) -> None:
    shown = answered(finished)
    trials = {f"trial {row['index']}": row for row in _rows(finished, finished.job)}
    offered = [
        {"origin": shown["origin"], "score": shown["expected_score"], **_kept(shown)},
        *shown["alternatives"],
    ]
    tried = [offer for offer in offered if not offer["is_prediction"]]
    assert tried
    for offer in tried:
        assert offer["score"] == trials[offer["origin"]]["score"]
        assert offer["schedule"] == trials[offer["origin"]]["widths"]


def _kept(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: shown[key] for key in ("schedule", "is_prediction")}


def _rows(job: FinishedJob, id: str) -> list[dict[str, Any]]:
    return list(job.run("trials", id, "--json").json)


def test_the_answer_is_printed_with_its_layers_and_the_command_that_refines_it(
    finished: FinishedJob, nothing_runs: None
) -> None:
    said = expect_done(finished.run("search", "--from", finished.job[:6], "--budget", "50%"))
    assert "4 evaluations" in said.out
    assert "second" in said.out
    words = shlex.split(said.err.rstrip().splitlines()[-1])
    assert words[:2] == ["autoprune", "search"]
    assert words[-2:] == ["--trials", "20"]
    assert words[words.index("--from") + 1] == finished.job[:6]


@pytest.fixture
def refine(copied: FinishedJob) -> Search:
    def run(*words: str) -> Said:
        given = ("--from", copied.job, "--budget", "50%", *words)
        return run_program("search", *given, "--db", copied.db, "--json", folder=copied.folder)

    return run


def test_a_new_job_begins_with_the_answer_and_tries_exactly_what_is_asked(
    copied: FinishedJob, refine: Search
) -> None:
    answer = answered(copied, "--budget", "50%")
    shown = expect_done(refine("--trials", "3")).json
    assert (shown["searcher"], shown["trials"], shown["state"]) == ("legr", 3, "finished")
    assert _rows(copied, shown["job"])[0]["widths"] == answer["schedule"]
    base_s = shown["base"]["measured_latency_s"]
    assert shown["budget"]["latency_s"] == pytest.approx(0.5 * base_s)


def test_the_solver_learns_from_the_old_job_and_no_probe_is_scored_twice(
    copied: FinishedJob, refine: Search
) -> None:
    first = expect_done(refine("--trials", "2", "--searcher", "solver")).json
    assert first["probes"]["seconds"] > 0.0
    words = ("--from", first["job"], "--budget", "45%", "--trials", "2")
    second = expect_done(copied.run("search", *words, "--json", "--out", "second")).json
    assert (second["searcher"], second["trials"]) == ("solver", 2)
    assert second["probes"] == {"count": first["probes"]["count"], "seconds": 0}
    start = composition.records_of(str(copied.db)).job(second["job"]).what["start"]
    scores = [row["score"] for row in _rows(copied, first["job"]) if row["purpose"] != "probe"]
    assert [loss for _, loss in start["known"]] == scores
    trials = [row for row in _rows(copied, second["job"]) if row["purpose"] != "probe"]
    # The program's minimum may leave some of the budget, and a table may give one tried before.
    begun = _widened_to(copied, first["job"], "45%", trials[0]["widths"])
    tried = [row["widths"] for row in _rows(copied, first["job"]) if row["purpose"] != "probe"]
    offered = _of_the_solver(copied, first["job"], "45%")
    assert offered == ([] if begun in tried else [begun])


def _of_the_solver(job: FinishedJob, id: str, budget: str) -> list[dict[str, int]]:
    """The schedule of its model, unless a trial is offered that has the same widths."""
    shown = composition.Origin.open(id, str(job.db)).answer(budget, _say_nothing)
    offers = [shown, *shown["alternatives"]]
    return [dict(o["schedule"]) for o in offers if o["origin"] == "the solver's model"]


def _widened_to(job: FinishedJob, id: str, budget: str, schedule: dict[str, int]) -> dict[str, int]:
    """What a job's schedule becomes where the rest of a budget is used too."""
    origin = composition.Origin.open(id, str(job.db))
    spec = inherit(origin.job, {"budget": budget})
    subject = load_subject(spec, _say_nothing, state=origin.weights())
    problem = rebuild_plan(origin.job, spec, subject, origin.stores).problem
    names = [group.name for group in subject.space.groups]
    return dict(zip(names, widen(problem, [schedule[name] for name in names]), strict=True))


def _say_nothing(_kind: str, _payload: dict[str, Any]) -> None:
    pass


def test_a_resume_needs_neither_the_old_job_nor_its_evaluations(
    copied: FinishedJob, refine: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--trials", "3", "--searcher", "solver", *QUICKLY)
    whole = expect_done(refine(*words)).json
    _forget(copied.db, whole["job"])
    with monkeypatch.context() as patch:
        patch.setattr(TrialLoop, "_tell", _interrupt_at(12, TrialLoop._tell))
        assert refine(*words).code == 130
    _forget(copied.db, copied.job)
    (row,) = copied.run("jobs", "--json").json
    assert row["state"] == "paused"
    said = copied.run("resume", row["job"], "--workers", "1", "--json")
    assert expect_done(said).json["digest"] == whole["digest"]


def _interrupt_at(count: int, tell: Callable[..., None]) -> Callable[..., None]:
    def told(loop: TrialLoop, index: int) -> None:
        if index == count:
            raise KeyboardInterrupt
        tell(loop, index)

    return told


def _forget(db: Path, job: str) -> None:
    """Delete a job with all its rows, and every reusable score."""
    with sqlite3.connect(db) as connection:
        for table in ("finalists", "checkpoints", "events", "trials"):
            connection.execute(f"DELETE FROM {table} WHERE job_id = ?", (job,))
        connection.execute("DELETE FROM jobs WHERE id = ?", (job,))
        connection.execute("DELETE FROM evaluations")


def test_the_command_in_the_bundle_repeats_the_job(
    copied: FinishedJob, refine: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = copied.folder / "bundle"
    expect_done(refine("--trials", "2", "--seed", "3", "--finetune-epochs", "0", "--out", "bundle"))
    provenance = json.loads((bundle / "schedule.json").read_text(encoding="utf-8"))["provenance"]
    words = shlex.split(provenance["command"])
    assert words[words.index("--from") + 1] == copied.job
    stored = composition.records_of(str(copied.db)).job(provenance["job"]).how["spec"]
    specs: list[JobSpec] = []

    def capture(spec: JobSpec, *_: Any, **_more: Any) -> None:
        specs.append(spec)
        raise KeyboardInterrupt

    monkeypatch.setattr(composition, "submit", capture)
    run_program(*words[1:], folder=copied.folder)
    hashes = {"table", "calibration"}  # the command names them by their first digits
    same = make_spec({**stored, "out": None}).model_dump(exclude=hashes)
    assert specs[0].model_dump(exclude=hashes) == same


@pytest.mark.parametrize(
    ("code", "says", "words"),
    [
        (3, ("floor",), ("--budget", "1%")),
        (2, ("already within",), ("--budget", "macs=1000G")),
        (2, ("--trials", "out"), ("--budget", "50%", "--out", "elsewhere")),
        (2, ("--trials", "seed"), ("--budget", "50%", "--seed", "2")),
        (2, ("model", "--from"), ("--budget", "50%", "--model", "digits", "--trials", "2")),
        (2, ("divisor", "--from"), ("--budget", "50%", "--divisor", "8", "--trials", "2")),
        (2, ("bad", "there is"), ("--budget", "50%", "--searcher", "bad", "--trials", "2")),
    ],
)
def test_what_cannot_be_followed_is_refused(
    code: int,
    says: tuple[str, ...],
    words: tuple[str, ...],
    finished: FinishedJob,
    nothing_runs: None,
) -> None:
    before = snapshot(finished.folder)
    said = finished.run("search", "--from", finished.job, *words)
    assert said.code == code, said.err
    for word in says:
        assert word in said.err
    assert snapshot(finished.folder) == before


def test_a_job_file_may_name_the_job(finished: FinishedJob, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(f"from_job: '{finished.job}'\nbudget: 50%\n", encoding="utf-8")
    assert expect_done(finished.run("search", file, "--json")).json["budget"] == ["50%"]
    file.write_text(f"from_job: '{finished.job}'\nbudget: 50\n", encoding="utf-8")
    refused = finished.run("search", file)
    assert refused.code == 2
    assert "budget '50'" in refused.err


def test_a_job_that_is_not_there_is_named(finished: FinishedJob, nothing_runs: None) -> None:
    for more in ((), ("--trials", "2")):
        said = finished.run("search", "--from", "nosuchjob", "--budget", "50%", *more)
        assert said.code == 2
        assert "nosuchjob" in said.err


def test_a_job_with_too_few_scores_is_refused_with_their_number(
    copied: FinishedJob, nothing_runs: None
) -> None:
    with sqlite3.connect(copied.db) as connection:
        connection.execute("UPDATE trials SET state = 'asked' WHERE \"index\" > 0")
    said = copied.run("search", "--from", copied.job, "--budget", "50%")
    assert said.code == 2
    assert "1 of its trials" in said.err
    assert f"autoprune resume {copied.job}" in said.err


def test_a_job_that_is_not_finished_answers_by_what_it_has(
    copied: FinishedJob, nothing_runs: None
) -> None:
    with sqlite3.connect(copied.db) as connection:
        connection.execute("UPDATE trials SET state = 'asked' WHERE \"index\" > 1")
        connection.execute("UPDATE jobs SET state = 'paused'")
    assert answered(copied, "--budget", "50%")["evaluations"] == 2
