"""The page of a job's front stands alone, and shows each trial for what it is."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from autoprune.export.front_figures import (
    MOST_GROUPS,
    Front,
    FrontPoint,
    Landmark,
    score_front,
)
from autoprune.export.front_page import render_front
from autoprune.export.schedule import MetricReference

_COLOURS = {"accent": "#111111", "strong": "#222222", "muted": "#333333", "warn": "#444444"}


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


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in figure["data"] if each["name"] == name)


def body_of(page: str) -> str:
    """Without scripts and styles."""
    bare = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<(?!/?td)[^>]*>", " ", bare).split())


def test_plotly_accepts_the_figure() -> None:
    text = json.dumps(score_front(FRONT))
    for name, colour in _COLOURS.items():
        text = text.replace(f'"color": "{name}"', f'"color": "{colour}"')
    go.Figure(json.loads(text))


def test_every_trial_is_a_faint_point_and_the_front_a_line_of_each_kind() -> None:
    figure = score_front(FRONT)
    assert trace(figure, "candidate")["x"] == pytest.approx([2.0, 2.5, 1.0])
    assert trace(figure, "candidate")["marker"]["symbol"] == ["circle", "circle", "circle-open"]
    assert trace(figure, "candidate")["marker"]["opacity"] < 1
    assert trace(figure, "on the way")["x"] == pytest.approx([3.0])
    line = trace(figure, "front")
    assert (line["x"], line["y"]) == (pytest.approx([2.0, 3.0]), [0.4, 0.2])
    accumulated = trace(figure, "front, from accumulated weights")
    assert (accumulated["x"], accumulated["y"]) == (pytest.approx([1.0]), [0.3])
    assert accumulated["line"]["dash"] != line["line"]["dash"]


def test_the_budget_the_unpruned_and_the_chosen_network_are_marked() -> None:
    figure = score_front(FRONT)
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [pytest.approx(2.0)]
    assert trace(figure, "unpruned")["x"] == pytest.approx([4.0])
    assert trace(figure, "chosen, scored longer")["y"] == [0.25]
    bare = score_front(replace(FRONT, limit_s=None, chosen=None))
    assert "shapes" not in bare["layout"]
    assert "chosen, scored longer" not in [each["name"] for each in bare["data"]]


def test_pointing_at_a_trial_tells_it_with_its_widths() -> None:
    (told,) = trace(score_front(FRONT), "front, from accumulated weights")["text"]
    for words in ("trial 3 (candidate, from the weights of trial 1)", "score 0.3", "1.000 ms"):
        assert words in told
    assert "stem 11, body.0 16, body.1 24<br>body.2 32" in told
    many = replace(FAST, widths={f"layer{number}": 8 for number in range(MOST_GROUPS + 5)})
    (told,) = trace(score_front(replace(FRONT, best=(many,))), "front")["text"]
    assert told.endswith("and 5 more groups")


def test_the_page_loads_nothing_and_lists_the_front_fastest_first() -> None:
    page = render_front(FRONT)
    assert page.count("plotly.js v") == 1
    bare = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    assert re.search(r"\b(src|href)=", bare) is None
    assert 'id="chart-front"' in bare
    assert "prefers-color-scheme: dark" in page
    cells = re.findall(r"<td[^>]*>(.*?)</td>", bare)
    rows = [cells[place : place + 8] for place in range(0, len(cells), 8)]
    assert [row[0] for row in rows] == ["3", "1", "0"]
    assert rows[0][1:4] == ["candidate", "trial 1", "1.000 ms"]
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


def test_names_of_layers_cannot_become_markup() -> None:
    hostile = replace(FAST, widths={"</script><img src=x>": 8})
    page = render_front(replace(FRONT, points=(hostile,), best=(hostile,)))
    assert "img src=x" in page
    assert "<img" not in page
