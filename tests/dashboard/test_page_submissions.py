"""What the form says of job files that are refused, and the jobs that come of good ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browsing import JOB_TEXT, Watched, submit_text
from playwright.sync_api import Page, expect
from running_server import Server
from served_world import JOB


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model: [", "The body cannot be read"),
        ("model: tiny\nweights: mine.pt", "weights: names a file of the server"),
        ("model: somebody.else:network", "unknown model 'somebody.else:network'"),
        ('{"trials": "many"}', "trials: expected a whole number, got 'many'"),
        (JOB_TEXT.replace("65%", "1%"), "is under the floor"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_beside_the_form(
    server: Server, watched: Watched, text: str, says: str
) -> None:
    page = watched.page
    page.goto(f"{server.url}/#/new")
    submit_text(page, text)
    expect(page.get_by_role("alert").filter(has_text=says)).to_be_visible()
    assert page.get_by_label("Job file").input_value() == text
    assert page.url.endswith("#/new")


def test_a_picked_json_file_becomes_a_job_that_can_be_paused_resumed_and_cancelled(
    server: Server, watched: Watched, tmp_path: Path
) -> None:
    page = watched.page
    (tmp_path / "job.json").write_text(json.dumps(JOB))
    page.goto(f"{server.url}/#/new")
    page.get_by_label("Pick a file").set_input_files(tmp_path / "job.json")
    expect(page.get_by_label("Job file")).to_have_value(json.dumps(JOB))
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".badge.queued")).to_be_visible()
    job = page.url.rpartition("/")[2]
    for wish, state in (("Pause", "paused"), ("Resume", "queued"), ("Cancel", "cancelled")):
        page.get_by_role("button", name=wish).click()
        expect(page.locator(f".badge.{state}")).to_be_visible()
        assert server.read(f"/v1/jobs/{job}")["state"] == state
    assert _wishes(page) == ["Resume"]
    watched.expect_clean(server)


def _wishes(page: Page) -> list[str]:
    return page.locator("[data-wish]:visible").all_inner_texts()


def test_sending_the_same_text_twice_makes_one_job(server: Server, watched: Watched) -> None:
    page = watched.page
    page.goto(f"{server.url}/#/new")
    keys = []
    page.on("request", lambda request: keys.append(request.headers.get("idempotency-key")))
    for _ in range(2):
        submit_text(page, "model: nobody")
        expect(page.get_by_role("alert").filter(has_text="unknown model")).to_be_visible()
        page.locator(".said").evaluate("place => place.replaceChildren()")
    submit_text(page, "model: nobody_else")
    expect(page.get_by_role("alert").filter(has_text="nobody_else")).to_be_visible()
    first, second, other = filter(None, keys)
    assert first == second != other
