"""Latency against width, as plotly figures in plain data; colours are names the page fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Figure = dict[str, Any]
ACCENT, STRONG, WARN = "accent", "strong", "warn"
"""Names of colours; the page knows them in light and dark."""
MAX_CURVES = 16
"""More input widths than this make a map."""


@dataclass(frozen=True)
class Point:
    """The latency at one output width.

    Args:
        width: output channels.
        seconds: median.
        measured: or interpolated between neighbours.
        noisy: its interval stayed wide.
    """

    width: int
    seconds: float
    measured: bool = True
    noisy: bool = False


@dataclass(frozen=True)
class Curve:
    """Latency over output widths, ascending, at one input width (None where it is the output's)."""

    inputs: int | None
    points: tuple[Point, ...]

    @property
    def beaten(self) -> dict[int, int]:
        """Output width -> the narrowest wider one that is at least as fast."""
        found = {}
        for place, point in enumerate(self.points):
            for wider in self.points[place + 1 :]:
                if wider.seconds <= point.seconds:
                    found[point.width] = wider.width
                    break
        return found


def beaten_everywhere(curves: Sequence[Curve]) -> dict[int, int]:
    """Output width -> a wider one that is at least as fast at every input width."""
    prices = [{point.width: point.seconds for point in curve.points} for curve in curves]
    widths = sorted(set.intersection(*(set(each) for each in prices))) if prices else []
    found = {}
    for place, width in enumerate(widths):
        for wider in widths[place + 1 :]:
            if all(each[wider] <= each[width] for each in prices):
                found[width] = wider
                break
    return found


def staircase(curves: Sequence[Curve], dropped: Sequence[int] = ()) -> Figure:
    """A line for each input width, or a map where there are many.

    Args:
        curves: by input width, ascending.
        dropped: output widths that a search leaves out.
    """
    many = len(curves) > MAX_CURVES
    points = [(curve, point) for curve in curves for point in curve.points]
    noisy = [(curve, point) for curve, point in points if point.noisy]
    beaten = [(curve, point) for curve, point in points if point.width in curve.beaten]
    traces = [
        *([_map(curves)] if many else [_line(curves, place) for place in range(len(curves))]),
        {**_marks("a wider one is as fast", beaten, many), "marker": _RING},
        {**_marks("noisy", noisy, many), "marker": _CROSS},
    ]
    equal = len(curves) == 1 and curves[0].inputs is None
    y_title = "input channels" if many else "latency (µs)"
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "channels" if equal else "output channels", **_SMALL}},
        "yaxis": {"title": {"text": y_title, **_SMALL}, "automargin": True},
        "legend": {"title": {"text": "" if equal or many else "input channels"}, **_LEGEND},
        "hovermode": "closest",
        "shapes": [_dropped_line(width) for width in dropped],
    }
    if not many:
        layout["yaxis"]["rangemode"] = "tozero"
    return {"data": [trace for trace in traces if trace["x"]], "layout": layout}


_SMALL = {"font": {"size": 12}}
_LEGEND = {"font": {"size": 11}, "traceorder": "reversed"}
_RING = {"symbol": "circle-open", "size": 10, "color": WARN, "line": {"width": 1, "color": WARN}}
_CROSS = {"symbol": "x-thin", "size": 7, "color": STRONG, "line": {"width": 1.5, "color": STRONG}}


def _line(curves: Sequence[Curve], place: int) -> dict[str, Any]:
    curve = curves[place]
    share = (place + 1) / len(curves)
    inputs = "" if curve.inputs is None else f"{curve.inputs} → "
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "measured" if curve.inputs is None else str(curve.inputs),
        "x": [point.width for point in curve.points],
        "y": [point.seconds * 1e6 for point in curve.points],
        "text": ["measured" if point.measured else "interpolated" for point in curve.points],
        "hovertemplate": f"{inputs}%{{x}} channels<br>%{{y:.2f}} µs, %{{text}}<extra></extra>",
        "line": {"width": 1.5, "color": ACCENT},
        "marker": {
            "size": 6,
            "color": ACCENT,
            "symbol": ["circle" if point.measured else "circle-open" for point in curve.points],
        },
        # The narrower the input, the fainter the line: the order can be seen without the legend.
        "opacity": 0.25 + 0.75 * share,
    }


def _map(curves: Sequence[Curve]) -> dict[str, Any]:
    widths = sorted({point.width for curve in curves for point in curve.points})
    prices = [{point.width: point.seconds * 1e6 for point in curve.points} for curve in curves]
    return {
        "type": "heatmap",
        "name": "latency",
        "x": widths,
        "y": [curve.inputs for curve in curves],
        "z": [[each.get(width) for width in widths] for each in prices],
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": "µs"}, "thickness": 12, "outlinewidth": 0},
        "hovertemplate": "%{y} → %{x} channels<br>%{z:.2f} µs<extra></extra>",
        "showlegend": False,
    }


def _marks(name: str, points: Sequence[tuple[Curve, Point]], many: bool) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [point.width for _, point in points],
        "y": [curve.inputs if many else point.seconds * 1e6 for curve, point in points],
        "hoverinfo": "skip",
    }


def _dropped_line(width: int) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": width,
        "x1": width,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "opacity": 0.6,
        "line": {"color": WARN, "width": 1.5, "dash": "dot"},
    }
