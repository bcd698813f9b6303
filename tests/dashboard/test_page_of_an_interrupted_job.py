"""A job whose process was lost says so, and how it goes on."""

from __future__ import annotations

from pathlib import Path

from browsing import Watched
from playwright.sync_api import expect
from running_server import Server
from served_world import JOB

from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.store import TrialStore


def test_an_open_page_tells_that_the_worker_is_lost(
    server: Server, watched: Watched, tmp_path: Path
) -> None:
    job = server.post("/v1/jobs", json=JOB).json()["job"]
    store = TrialStore(connect(str(server.folder / "jobs.db")), ArtifactFolder(tmp_path))
    lease = store.acquire(job, "another host/1", 60.0)
    page = watched.page
    page.goto(f"{server.url}/#/jobs/{job}")
    expect(page.locator(".badge.running")).to_be_visible()
    store.renew(lease, -1.0)
    expect(page.locator(".badge.interrupted")).to_have_text("interrupted")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".badges").get_by_text("cancelled")).to_be_visible()
    watched.expect_clean(server)


def test_an_interrupted_job_can_be_resumed_paused_and_cancelled(
    server: Server, watched: Watched, tmp_path: Path
) -> None:
    job = server.post("/v1/jobs", json=JOB).json()["job"]
    store = TrialStore(connect(str(server.folder / "jobs.db")), ArtifactFolder(tmp_path))
    store.acquire(job, "another host/1", -1.0)
    page = watched.page
    page.goto(f"{server.url}/#/jobs/{job}")
    expect(page.locator(".badge.interrupted")).to_have_text("interrupted")
    expect(page.get_by_text("its worker is gone, and another one takes it")).to_be_visible()
    for wish in ("Pause", "Resume", "Cancel"):
        expect(page.get_by_role("button", name=wish)).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".badges").get_by_text("queued")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".badges").get_by_text("cancelled")).to_be_visible()
    assert store.job(job).state == "cancelled"
    watched.expect_clean(server)
