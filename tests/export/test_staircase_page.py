"""The page of staircases stands alone, and marks what a reader should see."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest
from drawing import Open

from autoprune.export.staircase_figures import (
    MAX_CURVES,
    Curve,
    Point,
    beaten_everywhere,
    staircase,
)
from autoprune.export.staircase_page import render_staircases
from latency_tables import DeviceFingerprint, Entry, Operator, Sample, Table, TableContext

_COLOURS = {"accent": "#111111", "strong": "#222222", "warn": "#444444"}
CONV = Operator("conv", 8, 8, 8, 8, (3, 3), padding=(1, 1), activation="relu")
NARROW = Curve(4, (Point(8, 2e-6), Point(12, 5e-6, noisy=True), Point(16, 4e-6)))
WIDE = Curve(8, (Point(8, 4e-6), Point(12, 9e-6), Point(16, 8e-6, measured=False)))


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in figure["data"] if each["name"] == name)


def drawable(figure: dict[str, Any]) -> None:
    """Raise unless plotly accepts the figure."""
    text = json.dumps(figure)
    for name, colour in _COLOURS.items():
        text = text.replace(f'"color": "{name}"', f'"color": "{colour}"')
    go.Figure(json.loads(text))


def test_every_input_width_is_a_line_in_microseconds() -> None:
    figure = staircase([NARROW, WIDE])
    drawable(figure)
    assert trace(figure, "4")["x"] == [8, 12, 16]
    assert trace(figure, "4")["y"] == pytest.approx([2.0, 5.0, 4.0])
    assert trace(figure, "8")["marker"]["symbol"] == ["circle", "circle", "circle-open"]
    assert trace(figure, "4")["opacity"] < trace(figure, "8")["opacity"] == 1.0


def test_noisy_points_and_those_a_wider_one_beats_are_marked() -> None:
    figure = staircase([NARROW, WIDE], dropped=[12])
    assert (trace(figure, "noisy")["x"], trace(figure, "noisy")["y"]) == ([12], [5.0])
    assert trace(figure, "a wider one is as fast")["x"] == [12, 12]
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [12]


def test_a_width_is_beaten_where_one_wider_width_beats_it_at_every_input() -> None:
    assert beaten_everywhere([NARROW, WIDE]) == {12: 16}
    dear = replace(WIDE, points=(*WIDE.points[:2], Point(16, 10e-6)))
    assert beaten_everywhere([NARROW, dear]) == {}


def test_many_input_widths_are_a_map() -> None:
    curves = [replace(NARROW, inputs=inputs) for inputs in range(MAX_CURVES + 1)]
    figure = staircase(curves)
    drawable(figure)
    (drawn,) = (each for each in figure["data"] if each["type"] == "heatmap")
    assert len(drawn["z"]) == MAX_CURVES + 1
    assert trace(figure, "noisy")["y"] == list(range(MAX_CURVES + 1))


def test_the_page_loads_nothing_and_names_each_operator(draw: Open) -> None:
    device = DeviceFingerprint("Some <CPU>", "x86_64", 8, "AVX512", "Linux")
    entries = [
        Entry(op, Sample(seconds, 0.0, (seconds,) * 5, 12, noisy=seconds > 4e-6))
        for op, seconds in (
            (CONV, 5e-6),
            (CONV.with_channels(8, 16), 4e-6),
            (Operator("conv", 8, 8, 8, 8, (3, 3), groups=8), 1e-6),
            (Operator("conv", 16, 16, 8, 8, (3, 3), groups=16), 2e-6),
            (Operator("add", 16, 16, 8, 8), 1e-6),
        )
    ]
    page = render_staircases(Table(TableContext("onnxruntime", "1", 1, 1, device), tuple(entries)))
    body = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    assert re.search(r"\b(src|href)=", body) is None
    assert re.findall(r"<h2>(.*?)</h2>", body) == [
        "How to read it",
        "conv3x3 at 8x8, relu",
        "depthwise conv3x3 at 8x8",
        "add at 8x8",
    ]
    assert "Some &lt;CPU&gt;" in body
    assert "5 operators measured, 1 noisy" in " ".join(body.split())
    assert "No faster than a wider one: 8 (16)." in body
    assert draw(page).page.locator(".chart").count() == 3
