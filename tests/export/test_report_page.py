"""The report is one page that stands alone and says what the schedule says."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from export_case import Case

from autoprune.export.history import History
from autoprune.export.report import render_report


class _Page(HTMLParser):
    """Tags, their attributes, and the text outside of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.text += data


def _parse(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    return page


@pytest.fixture(scope="module")
def html(case: Case, history: History) -> str:
    return render_report(case.schedule(), history)


def test_it_loads_nothing(html: str) -> None:
    page = _parse(html)
    loaded = [attributes for _, attributes in page.tags if attributes.keys() & {"src", "href"}]
    assert loaded == []
    assert "@import" not in html
    assert html.count("plotly.js v") == 1


def test_it_shows_what_was_gained_and_lost(html: str) -> None:
    text = _parse(html).text
    for shown in ("0.49 ms", "1 ms", "2.04× faster", "91.00%", "−1.00 points", "400k", "110k"):
        assert shown in text


def test_it_names_every_layer_with_its_channels(html: str, case: Case) -> None:
    text = re.sub(r"\s+", " ", _parse(html).text)
    assert "layer2.0.conv1conv 8 → 4 16 → 8 0.50" in text
    assert all(name in text for name in case.fields["layers"])


def test_it_gives_the_command_and_the_hashes(html: str) -> None:
    text = _parse(html).text
    assert "autoprune search --budget 90% --seed 0" in text
    assert "d" * 64 in text
    assert "Failed trials, not shown: 1." in text


def test_a_prediction_says_that_it_is_one(case: Case, history: History) -> None:
    latency = {"base_s": 0.001, "predicted_s": 0.00048, "status": "predicted"}
    text = _parse(render_report(case.schedule(latency=latency), history)).text
    assert "predicted, not measured" in text
    assert "Latency, predicted" in text


def test_it_says_how_well_the_cheap_scores_rank(case: Case, history: History) -> None:
    def text(spearman: float | None) -> str:
        ranking = {"schedules": 8, "spearman": spearman}
        return _parse(render_report(case.schedule(ranking=ranking), history)).text

    assert "rank correlation 0.83 over 8 schedules" in text(0.831)
    assert "rank correlation not known from 8 schedules" in text(None)


def test_text_of_the_user_cannot_become_markup(case: Case, history: History) -> None:
    hostile = "</script><img src=x onerror=alert(1)>"
    layers = {hostile: case.fields["layers"]["conv1"]}
    schedule = case.schedule(
        layers=layers, provenance={**case.fields["provenance"], "command": hostile}
    )
    page = _parse(render_report(schedule, history))
    assert "img" not in [tag for tag, _ in page.tags]
    assert hostile in page.text


def test_a_job_without_scores_still_has_a_report(case: Case) -> None:
    page = _parse(render_report(case.schedule(), History([])))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert ids == ["chart-layers", "history", "drawn"]


def test_without_a_test_split_the_validation_accuracy_is_shown(case: Case) -> None:
    accuracy = {**case.fields["accuracy"], "test": None}
    text = _parse(render_report(case.schedule(accuracy=accuracy), History([]))).text
    assert "Validation accuracy" in text
    assert "Test accuracy" not in text
