"""P2 under wishes: a job paused in any of its stages ends as one never paused."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_program import expect_done, run_program

from autoprune import composition
from autoprune.composition import Stores
from autoprune.errors import JobStoppedError
from autoprune.evaluation.checkpoint import unpack
from autoprune.jobs.context import silent
from autoprune.jobs.summary import summarise_job

Tiny = tuple[str, ...]


@dataclass
class PauseAt:
    """Wishes for a pause at the n-th event of a kind."""

    stores: Stores
    job: str
    kind: str
    after: int
    seen: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, kind: str, payload: dict[str, Any]) -> None:
        if kind == self.kind:
            self.seen.append(payload)
            if len(self.seen) == self.after:
                self.stores.trials.request_state(self.job, "paused")


def ended(stores: Stores, job: str) -> tuple[str, dict[str, torch.Tensor]]:
    """The digest and the final weights."""
    final = stores.trials.job(job).results["final"]
    return summarise_job(stores.trials, job)["digest"], dict(
        unpack(stores.trials.get_artifact(final["weights"]))[0]
    )


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> tuple[Path, list[str]]:
    """Jobs that differ in nothing, of which the first has run; what is chosen is not measured."""
    folder = tmp_path_factory.mktemp("wishes")
    words = ("--budget", "65%", "--db", "jobs.db", "--finetune-epochs", "3", "--unmeasured")
    jobs = [
        run_program("search", *tiny, *words, "--queue", "--json", folder=folder) for _ in range(4)
    ]
    names = [str(expect_done(said).json["job"]) for said in jobs]
    expect_done(run_program("resume", names[0], "--db", "jobs.db", folder=folder))
    return folder, names


@pytest.mark.parametrize(
    ("number", "kind", "after", "stage"),
    [(1, "trial", 2, "search"), (2, "finalist", 2, "race"), (3, "finetune", 2, "finetune")],
)
def test_a_job_paused_in_a_stage_goes_on_there_to_the_same_end(
    submitted: tuple[Path, list[str]], number: int, kind: str, after: int, stage: str
) -> None:
    folder, jobs = submitted
    stores, record = composition.open_job(str(folder / "jobs.db"), jobs[number])
    pause, rest = PauseAt(stores, record.id, kind, after), PauseAt(stores, record.id, kind, -1)
    with chdir(folder):
        plan = composition.reopen(stores, record.id, silent, {})
        with pytest.raises(JobStoppedError, match="is paused"):
            composition.run(stores, record.id, plan, pause)
        paused = stores.trials.job(record.id)
        assert (paused.state, paused.stage, paused.desired_state) == ("paused", stage, None)
        assert stores.trials.holder(record.id) is None
        assert after <= len(pause.seen) <= after + 2, "what was known came at once"
        composition.run(stores, record.id, plan, rest)
    digest, weights = ended(stores, record.id)
    expected, whole = ended(stores, jobs[0])
    assert digest == expected
    assert all(torch.equal(weights[name], whole[name]) for name in whole)
    if kind == "finetune":
        assert [event["epoch"] for event in (*pause.seen, *rest.seen)] == [0, 1, 0, 2, 3]
