"""The page of a job's front stands alone, and shows each trial for what it is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from drawing import Open

from autoprune.budget import milliseconds
from autoprune.export.front import Front, FrontPoint, Landmark
from autoprune.export.front_page import render_front
from autoprune.export.schedule import MetricReference


def point(
    trial: int, ms: float, score: float, purpose: str = "candidate", start: int | None = None
) -> FrontPoint:
    widths = {"stem": 8 + trial, "body.0": 16, "body.1": 24, "body.2": 32}
    return FrontPoint(trial, purpose, widths, ms / 1e3, ms / 4, 12_345, score, 0.9, start)


SLOW, FAST = point(0, 3.0, 0.2, "step"), point(1, 2.0, 0.4)
BEATEN, FURTHER = point(2, 2.5, 0.6), point(3, 1.0, 0.3, start=1)
FRONT = Front(
    job="abc123",
    state="finished",
    budget=("50%", "params=100k"),
    limit_s=0.002,
    metric=MetricReference(name="loss", direction="minimize"),
    trials=40,
    points=(SLOW, FAST, BEATEN, FURTHER),
    best=(FURTHER, FAST, SLOW),
    unpruned=Landmark("unpruned network, measured", 0.004, 0.1, 0.95),
    chosen=Landmark("chosen: ladder 98%, trial 1, predicted", 0.00196, 0.25, 0.92),
)


def body_of(page: str) -> str:
    """Without scripts and styles."""
    bare = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<(?!/?td)[^>]*>", " ", bare).split())


def test_every_trial_is_a_faint_point_and_the_front_a_line_of_each_kind(draw: Open) -> None:
    drawn = draw(render_front(FRONT))
    candidates = drawn.trace("chart-front", "candidate")
    assert candidates["x"] == pytest.approx([2.0, 2.5, 1.0])
    assert candidates["marker"]["symbol"] == ["circle", "circle", "circle-open"]
    assert candidates["marker"]["opacity"] < 1
    assert drawn.trace("chart-front", "on the way")["x"] == pytest.approx([3.0])
    line = drawn.trace("chart-front", "front")
    assert (line["x"], line["y"]) == (pytest.approx([2.0, 3.0]), [0.4, 0.2])
    accumulated = drawn.trace("chart-front", "front, from accumulated weights")
    assert (accumulated["x"], accumulated["y"]) == (pytest.approx([1.0]), [0.3])
    assert accumulated["line"]["dash"] != line["line"]["dash"]


def test_the_budget_the_unpruned_and_the_chosen_network_are_marked(draw: Open) -> None:
    drawn = draw(render_front(FRONT))
    (budget,) = drawn.figure("chart-front")["layout"]["shapes"]
    assert budget["x0"] == pytest.approx(2.0)
    assert drawn.trace("chart-front", "unpruned")["x"] == pytest.approx([4.0])
    assert drawn.trace("chart-front", "chosen")["y"] == [0.25]
    bare = draw(render_front(replace(FRONT, limit_s=None, chosen=None)))
    assert bare.figure("chart-front")["layout"]["shapes"] == []
    assert bare.trace("chart-front", "chosen") == {}


def test_pointing_at_a_trial_tells_it_with_its_widths(draw: Open) -> None:
    drawn = draw(render_front(FRONT))
    (told,) = drawn.trace("chart-front", "front, from accumulated weights")["text"]
    assert told.startswith("trial 3 (from the weights of trial 1)<br>score 0.3<br>")
    assert "1 ms<br>25.00% of the unpruned network<br>" in told
    assert told.endswith("stem 11, body.0 16, body.1 24<br>body.2 32")
    many = replace(FAST, widths={f"layer{number}": 8 for number in range(41)})
    (told,) = draw(render_front(replace(FRONT, best=(many,)))).trace("chart-front", "front")["text"]
    assert told.endswith("and 5 more groups")


@pytest.mark.parametrize("seconds", [1.23456e-8, 4.2e-5, 0.00123456, 0.008, 12.34567])
def test_a_table_and_a_chart_round_a_latency_alike(seconds: float, draw: Open) -> None:
    one = replace(SLOW, predicted_latency_s=seconds)
    drawn = draw(render_front(replace(FRONT, points=(one,), best=(one,))))
    (told,) = drawn.trace("chart-front", "front")["text"]
    assert told.split("<br>")[3] == milliseconds(seconds)
    assert milliseconds(seconds) in drawn.page.locator("tbody td").all_inner_texts()


def test_a_task_has_its_figure_in_the_accuracys_column() -> None:
    points = tuple(replace(each, accuracy=None, figure=0.61803) for each in (FAST, SLOW))
    page = body_of(render_front(replace(FRONT, points=points, best=points, figure="all_right")))
    assert "all_right" in page
    assert "Accuracy" not in page
    assert page.count("0.618<") == 2


def test_the_page_loads_nothing_and_lists_the_front_fastest_first() -> None:
    page = render_front(FRONT)
    assert page.count("plotly.js v") == 1
    bare = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    assert re.search(r"\b(src|href)=", bare) is None
    assert 'id="chart-front"' in bare
    assert "prefers-color-scheme: dark" in page
    cells = re.findall(r"<td[^>]*>(.*?)</td>", bare)
    rows = [cells[place : place + 8] for place in range(0, len(cells), 8)]
    assert [row[0] for row in rows] == ["3", "1", "0"]
    assert rows[0][1:4] == ["candidate", "trial 1", "1 ms"]
    assert rows[1][2] == "base"
    assert "4 trials with a score." in body_of(page)


def test_the_page_of_a_running_job_says_how_far_it_is() -> None:
    page = body_of(render_front(replace(FRONT, state="running", chosen=None)))
    assert "4 trials with a score so far, of 40; the job is running." in page
    assert "the chosen schedule" not in page


def test_accumulated_weights_are_spoken_of_where_there_are_some() -> None:
    assert "Hollow points" in body_of(render_front(FRONT))
    plain = replace(FRONT, points=(SLOW, FAST), best=(FAST, SLOW))
    assert "Hollow points" not in body_of(render_front(plain))


def test_names_of_layers_cannot_become_markup(draw: Open) -> None:
    hostile = replace(FAST, widths={"</script><img src=x>": 8})
    drawn = draw(render_front(replace(FRONT, points=(hostile,), best=(hostile,))))
    (told,) = drawn.trace("chart-front", "candidate")["text"]
    assert told.endswith("&lt;/script>&lt;img src=x> 8")
    assert drawn.page.locator("img").count() == 0
