"""Where the server wants a token the page asks for one, and sends it in a header alone."""

from __future__ import annotations

from pathlib import Path

from browsing import Watched
from playwright.sync_api import expect
from running_server import serving
from tiny_program import expect_done, run_program


def test_the_page_asks_for_a_token_and_keeps_it_to_itself(watched: Watched, tmp_path: Path) -> None:
    """A wrong one is told; a right one is kept for the tab, and can be forgotten."""
    made = run_program("token", "create", "page", "--db", "jobs.db", folder=tmp_path)
    token = expect_done(made).out.split()[-1]
    page = watched.page
    with serving(tmp_path, "--db", "jobs.db") as server:
        page.goto(server.url)
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("asks for a token")
        dialog.get_by_label("Token").fill("wrong")
        dialog.get_by_role("button", name="Use token").click()
        expect(dialog).to_contain_text("does not accept this token")
        dialog.get_by_label("Token").fill(token)
        dialog.get_by_role("button", name="Use token").click()
        expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
        expect(dialog).to_be_hidden()

        page.set_viewport_size({"width": 380, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        page.reload()
        expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
        assert not page.context.cookies()
        assert token not in page.evaluate("JSON.stringify(localStorage) + document.location")
        sent = [r for r in watched.requests if r.headers.get("authorization") == f"Bearer {token}"]
        assert sent
        assert all(f"{server.url}/v1/" in request.url for request in sent)
        assert not any(token in request.url for request in watched.requests)

        page.get_by_role("button", name="Forget token").click()
        expect(dialog).to_be_visible()
        # What is refused is told by Chromium too; nothing else went wrong.
        assert all("401" in complaint for complaint in watched.complaints)
