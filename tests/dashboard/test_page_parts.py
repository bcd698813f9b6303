"""Parts of a job's page, each given what the API may say of a job."""

from __future__ import annotations

from typing import Any

import pytest
from browsing import Watched
from playwright.sync_api import expect
from running_server import Server

METRIC = {"name": "mae", "direction": "minimize"}
NOTHING = {"before": None, "after_search": None, "after": None}
BASE = {"score": 0.3, "accuracy": None, "measured_latency_s": 0.002}
LAYER = {"type": "conv", "in_channels": [3, 3], "out_channels": [16, 8], "keep_ratio": 0.5}


def job_of(**said: Any) -> dict[str, Any]:
    """A job's document, as far as the parts read it."""
    best = {"trial": 3, "score": 0.4, "accuracy": None, "layers": {"conv1": LAYER}}
    told = {"state": "finished", "trials_told": 4, "trials_planned": 4, "metric": METRIC}
    return {**told, "base": BASE, "best": best, "final": None, **said}


@pytest.fixture
def shown(server: Server, watched: Watched) -> Any:
    """Puts a part of the page alone on it, updated with a job."""

    def call(file: str, view: str, job: dict[str, Any]) -> Any:
        watched.page.goto(server.url)
        watched.page.evaluate(
            "async ([file, view, job]) => { const part = (await import(file))[view]();"
            "part.update(job); document.getElementById('main').replaceChildren(part.element); }",
            [f"/assets/{file}", view, job],
        )
        return watched.page.locator("#main")

    return call


def splits(validation: dict[str, Any], test: dict[str, Any] | None) -> dict[str, Any]:
    return {"validation": validation, "test": test}


FIGURE = {"before": 0.25, "after_search": 0.3, "after": 0.28}
HELD_BACK = {"before": 0.26, "after_search": 0.32, "after": 0.29}


@pytest.mark.parametrize(
    ("test", "title", "value", "under"),
    [
        (HELD_BACK, "Test mae", "0.29", "unpruned 0.26"),
        (NOTHING, "Validation mae", "0.28", "unpruned 0.25"),
    ],
)
def test_a_task_is_told_by_its_figure_with_the_split_it_is_of(
    shown: Any, test: dict[str, Any], title: str, value: str, under: str
) -> None:
    """The accuracies of such a job are there, and hold nothing."""
    figure = {"name": "mae", "direction": "minimize", **splits(FIGURE, test)}
    final = {"accuracy": splits(NOTHING, NOTHING), "figure": figure}
    base = {**BASE, "figure": {"name": "mae", "value": 0.25}}
    tile = shown("tiles.js", "tilesView", job_of(base=base, final=final)).locator(".tile").nth(3)
    expect(tile.locator("dt")).to_have_text(title)
    expect(tile.locator(".value")).to_have_text(value)
    expect(tile.locator(".under")).to_have_text(under)


def test_a_classifier_is_told_by_its_accuracy_with_the_split_it_is_of(shown: Any) -> None:
    base, final = {**BASE, "accuracy": 0.25}, {"accuracy": splits(FIGURE, HELD_BACK)}
    tile = shown("tiles.js", "tilesView", job_of(base=base, final=final)).locator(".tile").nth(3)
    expect(tile.locator("dt")).to_have_text("Test accuracy")
    expect(tile.locator(".value")).to_have_text("29.00%")
    expect(tile.locator(".under")).to_have_text("unpruned 26.00%")


def test_shares_of_the_pruned_network_look_alike_with_and_without_the_unpruned(shown: Any) -> None:
    """A job of an earlier version has the shares of its chosen schedule alone."""
    savings, kinds = [{"layer_shares": {"conv1": 0.6}}], []
    for before in ({"conv1": 0.8}, None):
        job = job_of(savings=savings, layer_shares=before)
        row = shown("layers.js", "layersView", job).locator("tbody tr").first
        expect(row).to_contain_text("60.0%")
        kinds.append(row.locator(".meter").last.get_attribute("class"))
    assert kinds == ["meter pruned", "meter pruned"]
