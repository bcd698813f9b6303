"""A job whose network has no accuracy: its trials show what its task has instead."""

from __future__ import annotations

import pytest
from browsing import Watched
from playwright.sync_api import expect
from running_server import Server

from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.records import NewTrial, TrialResult
from autoprune.trials.store import TrialStore

NUMBERS = {"score": 0.5, "loss": 0.5, "accuracy": None, "macs": 10, "params": 10}
FIGURE = {"name": "mean_error", "direction": "minimize", "value": 0.125}


@pytest.fixture
def job(server: Server) -> str:
    """A job with three trials; the second was scored before figures were kept."""
    store = TrialStore(connect(str(server.folder / "jobs.db")), ArtifactFolder(server.folder))
    what = {
        "groups": [],
        "searcher": "random",
        "seed": 0,
        "trials": 3,
        "limits": {"latency": 0.001},
        "metric": {"name": "loss", "direction": "minimize"},
    }
    base = {**NUMBERS, "figure": FIGURE, "measured_latency_s": 0.002, "layers": {}}
    how = {"budget": ["50%"], "spec": {"model": "m", "weights": None, "data": "d"}}
    job = store.create_job(what, "0" * 64, how, "environment", base)
    lease = store.acquire(job, "driver", 3600.0)
    predicted = {"latency_s": 0.001, "macs": 5, "params": 5}
    for index, figure in enumerate((0.75, None, 0.25)):
        store.commit(lease, asked=[NewTrial(index, "candidate", (), None, predicted, f"k{index}")])
        store.finish_trial(
            lease, index, TrialResult(1.0 - index / 8, 1.0, None, 1.0, figure=figure)
        )
        store.commit(lease, told=[index])
    store.commit(lease, state="cancelled")
    store.release(lease)
    return job


def test_trials_show_the_tasks_metric_under_its_name(
    server: Server, watched: Watched, job: str
) -> None:
    told = server.read(f"/v1/jobs/{job}/trials")["items"]
    assert [trial["figure"] for trial in told] == [0.75, None, 0.25]
    page = watched.page
    page.goto(f"{server.url}/#/jobs/{job}")
    cells = page.locator("td[data-label=mean_error]")
    expect(cells).to_have_text(["0.25", "–", "0.75"])
    page.get_by_role("button", name="mean_error").click()
    expect(cells).to_have_text(["0.25", "0.75", "–"])
    expect(page.get_by_role("button", name="Accuracy")).to_have_count(0)
    expect(page.locator(".tile").filter(has_text="Validation mean_error")).to_contain_text("0.25")
    watched.expect_clean(server)
