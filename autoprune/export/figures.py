"""The report's charts as plotly figures in plain data; colours are names the page's theme fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from autoprune.export.schedule import MetricReference, Schedule

Figure = dict[str, Any]
ACCENT, STRONG, MUTED, WARN = "accent", "strong", "muted", "warn"
"""Names of colours; the page knows them in light and dark."""


@dataclass(frozen=True)
class TrialRow:
    """One trial, as the report shows it.

    Args:
        index: of the trial within its job.
        purpose: ``candidate``, ``step`` or ``probe``.
        score: by the schedule's metric; None for a failure.
        accuracy: fraction of validation images.
        predicted_latency_s: by the table.
    """

    index: int
    purpose: str
    score: float | None
    accuracy: float | None
    predicted_latency_s: float | None


def score_over_trials(schedule: Schedule, trials: Sequence[TrialRow]) -> Figure:
    """Every score in the order of the trials, and the best so far among candidates."""
    scored = [row for row in trials if row.score is not None]
    best_index, best_score = _best_so_far(schedule, scored)
    traces = [
        _points("candidate", [row for row in scored if row.purpose == "candidate"], ACCENT, _index),
        _points("on the way", [row for row in scored if row.purpose != "candidate"], MUTED, _index),
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far",
            "x": best_index,
            "y": best_score,
            "line": {"shape": "hv", "width": 2, "color": STRONG},
            "hoverinfo": "skip",
        },
        _chosen(schedule, scored, _index),
    ]
    return figure_of(traces, "trial", score_title(schedule.metric))


def score_over_latency(schedule: Schedule, trials: Sequence[TrialRow]) -> Figure:
    """Every score against the predicted latency, in milliseconds, with the budget."""
    scored = [r for r in trials if r.score is not None and r.predicted_latency_s is not None]
    candidates = [row for row in scored if row.purpose == "candidate"]
    others = [row for row in scored if row.purpose != "candidate"]
    traces = [
        _points("candidate", candidates, ACCENT, _milliseconds),
        _points("on the way", others, MUTED, _milliseconds),
        _chosen(schedule, scored, _milliseconds),
    ]
    figure = figure_of(traces, "predicted latency (ms)", score_title(schedule.metric))
    if schedule.budget.latency_s is not None:
        mark_budget(figure, schedule.budget.latency_s)
    return figure


def keep_ratios(schedule: Schedule) -> Figure:
    """A bar per layer, in network order."""
    layers = schedule.layers
    trace = {
        "type": "bar",
        "name": "keep ratio",
        "x": list(layers),
        "y": [round(layer.keep_ratio, 4) for layer in layers.values()],
        "customdata": [list(layer.out_channels) for layer in layers.values()],
        "hovertemplate": "%{x}<br>%{customdata[0]} → %{customdata[1]} channels"
        "<br>keep ratio %{y:.2f}<extra></extra>",
        "marker": {"color": ACCENT},
    }
    axis = {"type": "category", "tickangle": -90, "tickfont": {"size": 10}, "automargin": True}
    layout = {
        "xaxis": {**axis, "showgrid": False},
        "yaxis": {"range": [0, 1.02], "dtick": 0.25, "tickformat": ".2f"},
        "showlegend": False,
        "bargap": 0.3,
        "margin": {"l": 40, "r": 0, "t": 12, "b": 12},
    }
    return {"data": [trace], "layout": layout}


def figure_of(traces: list[dict[str, Any]], x_title: str, y_title: str) -> Figure:
    """The traces that have points, on titled axes."""
    return {
        "data": [trace for trace in traces if trace["x"]],
        "layout": {
            "xaxis": {"title": {"text": x_title, "font": {"size": 12}}, "automargin": True},
            "yaxis": {"title": {"text": y_title, "font": {"size": 12}}, "automargin": True},
            "legend": {"orientation": "h", "x": 0, "y": 1.06, "yanchor": "bottom"},
            "hovermode": "closest",
        },
    }


def mark_budget(figure: Figure, limit_s: float) -> None:
    """Draw a latency bound, in seconds, as a line over an axis in milliseconds."""
    limit = limit_s * 1e3
    line = {"color": WARN, "width": 1.5, "dash": "dash"}
    shape = {"type": "line", "x0": limit, "x1": limit, "y0": 0, "y1": 1, "yref": "paper"}
    figure["layout"]["shapes"] = [{**shape, "line": line}]
    figure["layout"]["annotations"] = [
        {
            "x": limit,
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "text": f"budget {limit:.4g} ms",
            "showarrow": False,
            "font": {"size": 12, "color": WARN},
        }
    ]


def score_title(metric: MetricReference) -> str:
    """The axis of scores: what they are, and which way is better."""
    better = "lower" if metric.direction == "minimize" else "higher"
    return f"{metric.name} ({better} is better)"


def _index(row: TrialRow) -> float:
    return row.index


def _milliseconds(row: TrialRow) -> float:
    return (row.predicted_latency_s or 0.0) * 1e3


def _points(name: str, rows: Sequence[TrialRow], color: str, x: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [x(row) for row in rows],
        "y": [row.score for row in rows],
        "text": [_hover(row) for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": color, "size": 7, "opacity": 0.75},
    }


def _chosen(schedule: Schedule, rows: Sequence[TrialRow], x: Any) -> dict[str, Any]:
    chosen = [row for row in rows if row.index == schedule.provenance.trial]
    trace = _points("chosen", chosen, "none", x)
    trace["marker"] = {"color": "none", "size": 15, "line": {"width": 2.5, "color": STRONG}}
    trace["hoverinfo"] = "skip"
    del trace["hovertemplate"]
    return trace


def _hover(row: TrialRow) -> str:
    lines = [f"trial {row.index} ({row.purpose})", f"score {row.score:.5g}"]
    if row.accuracy is not None:
        lines.append(f"accuracy {row.accuracy:.2%}")
    if row.predicted_latency_s is not None:
        lines.append(f"predicted {row.predicted_latency_s * 1e3:.3f} ms")
    return "<br>".join(lines)


def _best_so_far(schedule: Schedule, scored: Sequence[TrialRow]) -> tuple[list[float], list[float]]:
    candidates = [row for row in scored if row.purpose == "candidate"]
    better = min if schedule.metric.direction == "minimize" else max
    best = list(accumulate((row.score or 0.0 for row in candidates), better))
    index: list[float] = [row.index for row in candidates]
    if index and scored[-1].index > index[-1]:
        index.append(scored[-1].index)
        best.append(best[-1])
    return index, best
