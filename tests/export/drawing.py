"""A page in a file, opened from disk by a real browser that has no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

PATIENCE_MS = 60_000


@dataclass(frozen=True)
class Drawn:
    """An opened page whose charts are drawn."""

    page: Page

    def figure(self, chart: str) -> dict[str, Any]:
        """The traces and the layout that plotly was given for a chart."""
        found: dict[str, Any] = self.page.evaluate(
            "id => { const { data, layout } = document.getElementById(id);"
            " return JSON.parse(JSON.stringify({ data, layout })); }",
            chart,
        )
        return found

    def trace(self, chart: str, name: str) -> dict[str, Any]:
        """One of a chart's traces; an empty dict where there is none of that name."""
        found = [each for each in self.figure(chart)["data"] if each.get("name") == name]
        return dict(found[0]) if found else {}


Open = Callable[..., Drawn]


def opened(browser: Browser, path: Path, **context: Any) -> tuple[BrowserContext, Drawn]:
    """Open a page, which may complain of nothing and ask for nothing but itself."""
    own = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True, **context)
    page = own.new_page()
    page.set_default_timeout(PATIENCE_MS)
    heard: list[str] = []
    asked: list[str] = []
    page.on("console", lambda said: heard.append(said.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    charts = page.locator(".chart").count()
    page.wait_for_function(
        "count => document.querySelectorAll('.chart .main-svg').length >= count", arg=charts
    )
    assert heard == []
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
    return own, Drawn(page)
