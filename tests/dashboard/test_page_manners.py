"""Light and dark, keyboard, narrow screens, a layout that stays, and a policy that holds."""

from __future__ import annotations

import gzip

import pytest
from browsing import Watched
from playwright.sync_api import Browser, expect
from running_server import Server


@pytest.mark.parametrize("page_of", ["#/", "#/new", "#/jobs/00000000"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_in_light_and_dark(
    server: Server, browser: Browser, page_of: str, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": 380, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{server.url}/{page_of}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (shade == "rgb(15, 18, 22)") == (scheme == "dark")
    context.close()


def test_the_chosen_theme_is_kept(server: Server, watched: Watched) -> None:
    page = watched.page
    page.goto(server.url)
    theme = page.get_by_role("button", name="Colours")
    for wanted in ("light", "dark"):
        theme.click()
        expect(theme).to_have_attribute("aria-label", f"Colours: {wanted}")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"


def test_the_keyboard_reaches_everything_from_the_top(server: Server, watched: Watched) -> None:
    """The first stop leads to the content, and the focus can be seen."""
    page = watched.page
    page.goto(f"{server.url}/#/new")
    expect(page.get_by_label("Job file")).to_be_visible()
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    expect(focused).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    stops = []
    for _ in range(3):
        page.keyboard.press("Tab")
        stops.append(focused.evaluate("each => each.id || each.textContent"))
        assert focused.evaluate("each => each.matches(':focus-visible')")
    assert stops == ["file", "Submit", "pick"]


def test_nothing_moves_when_data_comes(server: Server, watched: Watched) -> None:
    """By the browser's own measure of shifts, of which 0.1 is good."""
    page = watched.page
    page.add_init_script(
        "window.shifts = 0; new PerformanceObserver(list => list.getEntries().forEach("
        "each => { window.shifts += each.value; }))"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    page.goto(server.url)
    expect(page.locator(".list[aria-busy=false]")).to_be_visible()
    assert page.evaluate("window.shifts") < 0.1


def test_an_inline_script_does_not_run(server: Server, watched: Watched) -> None:
    page = watched.page
    page.goto(server.url)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate(
        "const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        "document.body.append(script)"
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in watched.complaints)


def test_files_are_asked_for_by_their_tag_and_come_compressed(server: Server) -> None:
    first = server.get("/assets/plotly.js", headers={"Accept-Encoding": "gzip"}, stream=True)
    assert first.headers["content-encoding"] == "gzip"
    assert b"plotly.js" in gzip.decompress(first.raw.read())[:200]
    again = server.get("/assets/plotly.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "unsafe" not in server.get("/").headers["content-security-policy"]


@pytest.mark.parametrize("name", ["nothing.js", "..%2Ffiles.py", "%2Fetc%2Fpasswd", ""])
def test_no_other_file_is_given_out(server: Server, name: str) -> None:
    server.refused("not-found", "GET", f"/assets/{name}")


def test_a_server_that_is_away_is_said_and_found_again(server: Server, watched: Watched) -> None:
    page = watched.page
    page.goto(server.url)
    expect(page.locator(".list[aria-busy=false]")).to_be_visible()
    notice = page.get_by_text("The server does not answer")
    page.context.set_offline(True)
    expect(notice).to_be_visible()
    page.context.set_offline(False)
    expect(notice).to_be_hidden()
