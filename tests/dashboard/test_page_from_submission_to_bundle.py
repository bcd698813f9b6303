"""A job is submitted by the page, watched to its end on it, and its bundle taken from it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import yaml
from browsing import JOB_TEXT, PATIENCE_MS, Watched, submit_text, working
from playwright.sync_api import expect
from running_server import Server


def test_a_job_is_submitted_watched_and_its_bundle_downloaded(
    server: Server, watched: Watched, tmp_path: Path
) -> None:
    page = watched.page
    page.goto(server.url)
    page.get_by_role("link", name="New job").first.click()
    submit_text(page, JOB_TEXT)
    expect(page.locator(".badge.queued")).to_be_visible()
    expect(page.locator(".hint")).to_contain_text("autoprune worker")
    job = page.url.rpartition("/")[2]
    assert server.read(f"/v1/jobs/{job}")["model"] == yaml.safe_load(JOB_TEXT)["model"]

    # The page is not loaded again: what changes on it comes by the stream of events.
    page.evaluate("window.sameDocument = true")
    with working(server.folder):
        expect(page.locator(".badge.running")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.locator(".badge.finished")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#said")).to_have_text(f"Job {job} is finished")
    assert page.evaluate("window.sameDocument")

    shown = server.read(f"/v1/jobs/{job}")
    assert len(server.read(f"/v1/jobs/{job}/trials")["items"]) == 4
    expect(page.locator(".trials tbody tr")).to_have_count(4)
    expect(page.locator(".tile").first).to_contain_text("4 / 4")
    candidates = page.locator("#chart-progress .scatterlayer .trace").first
    expect(candidates.locator(".point")).to_have_count(4)
    expect(page.locator("#chart-tradeoff")).to_contain_text("budget")
    expect(page.locator("#chart-tradeoff")).to_contain_text("chosen")
    layers = page.locator(".layers tbody tr")
    for place, (name, layer) in enumerate(shown["best"]["layers"].items()):
        expect(layers.nth(place)).to_contain_text(name)
        expect(layers.nth(place)).to_contain_text(f"{layer['keep_ratio']:.2f}")

    with page.expect_download() as download:
        page.get_by_role("button", name="Download bundle").click()
    assert download.value.suggested_filename == f"autoprune-{job}.zip"
    download.value.save_as(tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        schedule = json.loads(bundle.read("schedule.json"))
    assert schedule["provenance"]["job"] == job

    page.get_by_role("link", name="Jobs", exact=True).first.click()
    expect(page.locator(f"tr[data-job='{job}']")).to_contain_text("finished")
    watched.expect_clean(server)
