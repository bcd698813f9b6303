"""A model whose code was edited while its job stood still: refused wherever the job goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from test_queue_and_worker import drain, show
from tiny_program import QUICK, SPACE, TINY, Said, expect_done, run_program

from autoprune.composition import open_job
from autoprune.composition.jobs import reopen
from autoprune.composition.running import make_executor
from autoprune.errors import ModelError
from autoprune.evaluation.contract import EvaluationRequest
from autoprune.jobs.context import silent

Program = Callable[..., Said]
BUDGET = ("--budget", "65%", "--db", "jobs.db", "--json")
EDITS = {
    "another activation": ("self.third(x).relu()", "nn.functional.gelu(self.third(x))"),
    "the same operators": (
        "nn.Conv2d(1, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH)",
        "nn.Conv2d(1, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH, eps=0.5)",
    ),
}
"""Parameters keep their names and shapes."""


def edit(code: Path, kind: str = "the same operators") -> None:
    before, after = EDITS[kind]
    assert before in code.read_text()
    code.write_text(code.read_text().replace(before, after))


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "my_net.py"
    path.write_text(TINY.read_text())
    return path


@pytest.fixture
def words(code: Path, table: Path) -> tuple[str, ...]:
    network = ("--model", f"{code}:network", "--data", f"{TINY}:split_loaders", *SPACE)
    return (*network, "--table", str(table), *QUICK, *BUDGET)


@pytest.fixture
def job(program: Program, words: tuple[str, ...]) -> str:
    return str(expect_done(program("search", *words, "--out", "bundle")).json["job"])


@pytest.mark.parametrize("kind", EDITS)
def test_an_edited_model_is_refused_until_its_code_is_back(
    program: Program, code: Path, job: str, kind: str
) -> None:
    before = code.read_text()
    edit(code, kind)
    more = ("--db", "jobs.db")
    for command in (
        ("resume", job, "--out", "again", *more),
        ("export", job, "--out", "again", *more),
        ("search", "--from", job, "--budget", "60%", *more),
    ):
        said = program(*command)
        assert said.code == 2
        assert f"model {code}:network no longer computes what it did" in said.err
        assert "restore the code, or start a new job" in said.err
    code.write_text(before)
    assert program("export", job, "--out", "again", *more).code == 0


def test_a_worker_fails_the_job_of_an_edited_model_and_a_resume_ends_it(
    tmp_path: Path, code: Path, words: tuple[str, ...]
) -> None:
    queued = expect_done(run_program("search", *words, "--queue", folder=tmp_path)).json["job"]
    before = code.read_text()
    edit(code)
    drain(tmp_path)
    shown = show(tmp_path, queued)
    assert shown["state"] == "failed"
    assert "no longer computes" in shown["error"]
    code.write_text(before)
    resumed = run_program("resume", queued, "--db", "jobs.db", "--out", "out", folder=tmp_path)
    assert expect_done(resumed).code == 0


def test_a_process_that_builds_an_edited_model_is_refused(
    tmp_path: Path, code: Path, job: str
) -> None:
    """The driver has read the old code; a process that starts later reads the new one."""
    stores, record = open_job(str(tmp_path / "jobs.db"), job, None)
    plan = reopen(stores, record.id, silent, {})
    executor = make_executor(plan, record.environment)
    edit(code)
    narrowest = plan.subject.space.named(plan.subject.space.narrowest)
    executor.submit("one", EvaluationRequest(narrowest, plan.fidelity))
    with pytest.raises(ModelError, match="this worker builds another"):
        executor.wait(1.0)


def test_two_networks_of_the_same_weights_share_no_score(
    program: Program, code: Path, words: tuple[str, ...], tmp_path: Path
) -> None:
    """The same network again is not scored again, its copy with another batch norm is.

    The budget is one that no measurement teaches anything of: the same schedules are tried.
    """
    counted = ["params=60%" if word == "65%" else word for word in words]

    def search() -> str:
        return str(expect_done(program("search", *counted)).json["job"])

    first, again = search(), search()
    edit(code)
    other = search()
    stores, _ = open_job(str(tmp_path / "jobs.db"), first, None)

    def reused(of: str) -> set[bool]:
        return {trial.result.reused for trial in stores.trials.trials(of) if trial.result}

    assert reused(again) == {True}
    assert reused(other) == {False}


@pytest.fixture
def of_before(tmp_path: Path, job: str) -> str:
    """A job as earlier versions stored it."""
    with sqlite3.connect(tmp_path / "jobs.db") as database:
        database.execute("UPDATE jobs SET how = json_remove(how, '$.outputs')")
    return job


def test_a_job_without_recorded_outputs_goes_on(
    program: Program, code: Path, of_before: str
) -> None:
    edit(code)
    assert program("export", of_before, "--db", "jobs.db", "--out", "again").code == 0
