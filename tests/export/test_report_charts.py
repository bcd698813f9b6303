"""The report's charts, drawn from disk by a real browser without a network."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from drawing import Open
from export_case import Case

from autoprune.export.history import History, TrialRow, history_of
from autoprune.export.report import render_report

BEST = {"trial": 2, "predicted_latency_s": 0.00048, "score": 0.31, "accuracy": 0.9}
FRONT = {
    "front": [{**BEST, "purpose": "candidate", "start_from": None, "widths": {"conv1": 4}}],
    "unpruned": {"says": "unpruned", "latency_s": 0.001, "score": 0.25, "accuracy": 0.93},
    "chosen": {"says": "chosen", "latency_s": 0.00047, "score": 0.28, "accuracy": 0.91},
}


@pytest.fixture
def whole(history: History) -> History:
    """All that a job of this version tells."""
    shares = {"conv1": 0.5, "linear": 0.3, "an addition": 0.2}
    return replace(
        history, base_score=0.25, front=FRONT, shares_before=shares, shares_after={"conv1": 1.0}
    )


def test_every_chart_is_drawn_from_the_trials_alone(
    case: Case, history: History, draw: Open
) -> None:
    """A report of an earlier version holds no more, and is rendered again when it is completed."""
    drawn = draw(render_report(case.schedule(), history))
    assert drawn.trace("chart-search", "candidate")["y"] == [0.52, 0.31]
    assert drawn.trace("chart-search", "on the way")["x"] == [1]
    assert drawn.trace("chart-search", "chosen")["x"] == [2]
    assert drawn.trace("chart-tradeoff", "candidate")["x"] == pytest.approx([0.5, 0.48])
    assert drawn.trace("chart-tradeoff", "front") == {}
    assert len(drawn.figure("chart-layers")["data"]) == 1


def test_layers_are_drawn_in_network_order(case: Case, draw: Open) -> None:
    layers = dict(reversed(case.fields["layers"].items()))
    kept = draw(render_report(case.schedule(layers=layers), History([]))).trace(
        "chart-layers", "Keep ratio"
    )
    assert kept["x"] == list(layers)
    assert kept["y"] == [layer["keep_ratio"] for layer in layers.values()]


def test_front_unpruned_network_and_shares_are_drawn_where_they_are_known(
    case: Case, whole: History, draw: Open
) -> None:
    drawn = draw(render_report(case.schedule(), whole))
    assert drawn.trace("chart-tradeoff", "front")["x"] == pytest.approx([0.48])
    assert drawn.trace("chart-tradeoff", "unpruned")["x"] == [1.0]
    assert drawn.trace("chart-tradeoff", "chosen")["y"] == [0.28]
    notes = drawn.figure("chart-search")["layout"]["annotations"]
    assert [note["text"] for note in notes] == ["unpruned 0.25"]
    before = drawn.trace("chart-layers", "Latency, unpruned")
    shown = dict(zip(before["x"], before["y"], strict=True))
    assert (shown["conv1"], shown["linear"], shown["layer1.0.conv1"]) == (0.5, 0.3, None)
    assert shown["other operators"] == pytest.approx(0.2)
    after = drawn.trace("chart-layers", "Latency, pruned")
    assert after["y"][after["x"].index("conv1")] == 1.0


OVERLAPS = """() => {
  const chart = document.getElementById("chart-layers");
  const legend = chart.querySelector(".legend .bg").getBoundingClientRect();
  return [...chart.querySelectorAll(".bars .point path")].map(bar => bar.getBoundingClientRect())
    .filter(bar => bar.height && bar.top < legend.bottom && bar.bottom > legend.top).length;
}"""
CUT = """() => [...document.querySelectorAll(".scroll")]
  .filter(each => each.scrollWidth > each.clientWidth).length"""


@pytest.mark.parametrize("width", [500, 900, 1400])
def test_no_legend_lies_over_a_bar_and_no_table_is_cut_off(
    case: Case, whole: History, draw: Open, width: int
) -> None:
    page = draw(render_report(case.schedule(), whole)).page
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(
        "() => { const chart = document.getElementById('chart-layers');"
        " return Math.abs(chart.querySelector('.main-svg').clientWidth - chart.clientWidth) < 2; }"
    )
    assert page.evaluate("document.querySelectorAll('#chart-layers .bars .point').length") > 0
    assert page.evaluate(OVERLAPS) == 0
    assert page.evaluate(CUT) == 0


def test_a_star_off_the_front_is_explained_where_there_is_one(
    case: Case, whole: History, history: History
) -> None:
    says = "The star is the chosen schedule at the score of its longer finetune"
    assert says in render_report(case.schedule(), whole)
    assert says not in render_report(
        case.schedule(), replace(whole, front={**FRONT, "chosen": None})
    )
    assert says not in render_report(case.schedule(), history)


def test_best_so_far_follows_the_candidates_and_the_metrics_direction(
    case: Case, history: History, draw: Open
) -> None:
    best = draw(render_report(case.schedule(), history)).trace("chart-search", "best so far")
    assert (best["x"], best["y"]) == ([0, 2], [0.52, 0.31])
    upwards = case.schedule(metric={"name": "accuracy", "direction": "maximize"})
    drawn = draw(render_report(upwards, history))
    assert drawn.trace("chart-search", "best so far")["y"] == [0.52, 0.52]
    axis = drawn.figure("chart-search")["layout"]["yaxis"]["title"]["text"]
    assert axis == "accuracy (higher is better)"


def test_the_budget_is_a_line_where_it_bounds_latency(
    case: Case, history: History, draw: Open
) -> None:
    def lines(**changes: Any) -> list[float]:
        drawn = draw(render_report(case.schedule(**changes), history))
        return [shape["x0"] for shape in drawn.figure("chart-tradeoff")["layout"]["shapes"]]

    assert lines() == [pytest.approx(0.9)]
    assert lines(budget={"given": ("macs=1M",), "macs": 1e6}) == []


def test_a_job_without_scores_has_the_chart_of_its_layers_alone(case: Case, draw: Open) -> None:
    drawn = draw(render_report(case.schedule(), History([])))
    assert drawn.page.locator(".chart").count() == 1


def test_trials_from_other_trials_weights_are_hollow_and_say_so(case: Case, draw: Open) -> None:
    rows = [
        TrialRow(0, "step", 0.4, 0.8, 0.0008),
        TrialRow(1, "step", 0.3, 0.85, 0.0006, start_from=0),
    ]
    trace = draw(render_report(case.schedule(), History(rows))).trace("chart-search", "on the way")
    assert trace["marker"]["symbol"] == ["circle", "circle-open"]
    assert trace["text"][1].startswith("trial 1 (step, from the weights of trial 0)<br>score 0.3")
    assert "85.00%" in trace["text"][1]


def test_the_charts_follow_the_colours_of_the_system(
    case: Case, history: History, draw: Open
) -> None:
    drawn = draw(render_report(case.schedule(), history), color_scheme="dark")
    assert drawn.trace("chart-search", "candidate")["marker"]["color"] == "#6ea0ff"
    drawn.page.emulate_media(color_scheme="light")
    drawn.page.wait_for_function(
        "document.getElementById('chart-search').data[0].marker.color === '#2563eb'"
    )


def test_names_of_layers_cannot_become_markup_in_a_chart(case: Case, draw: Open) -> None:
    hostile = "</script><img src=x onerror=alert(1)>"
    schedule = case.schedule(layers={hostile: case.fields["layers"]["conv1"]})
    drawn = draw(render_report(schedule, History([])))
    assert drawn.trace("chart-layers", "Keep ratio")["x"] == [hostile]
    assert drawn.page.locator("img").count() == 0


def test_a_report_holds_the_history_it_was_rendered_from(case: Case, whole: History) -> None:
    assert history_of(render_report(case.schedule(), whole)) == whole


def test_the_history_of_an_earlier_version_is_its_trials(history: History) -> None:
    old = [
        {name: value for name, value in row.items() if name != "start_from"}
        for row in history.to_json()["trials"]
    ]
    text = f'<script type="application/json" id="trials">{json.dumps(old)}</script>'
    assert history_of(text) == history
    assert history_of("<p>a report of version 1</p>") is None
