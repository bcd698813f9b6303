"""Score against latency over a job's trials: what is plotted, and the figure in plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoprune.export.figures import (
    ACCENT,
    MUTED,
    STRONG,
    Figure,
    figure_of,
    mark_budget,
    score_title,
)
from autoprune.export.schedule import MetricReference

MOST_GROUPS = 36
"""A hover with more groups than this would leave the screen."""


@dataclass(frozen=True)
class FrontPoint:
    """One trial with a score.

    Args:
        trial: its index.
        widths: group name -> units kept.
        predicted_latency_s: by the table; latency_fraction is the same as a fraction of the
            unpruned network's measured latency.
        macs: None where they were not counted.
        score: at a trial's fidelity, by the job's metric.
        start_from: the trial whose weights it started from, so that finetuning accumulated and
            flatters its score; None for the base weights.
    """

    trial: int
    purpose: str
    widths: Mapping[str, int]
    predicted_latency_s: float
    latency_fraction: float
    macs: int | None
    score: float
    accuracy: float | None
    start_from: int | None


@dataclass(frozen=True)
class Landmark:
    """A network that is no trial: the unpruned one, or what was chosen.

    Args:
        says: what it is, in words.
        latency_s: predicted of the chosen one, measured of the unpruned one.
    """

    says: str
    latency_s: float
    score: float
    accuracy: float | None


@dataclass(frozen=True)
class Front:
    """The front of one job, with all that surrounds it.

    Args:
        budget: as the user gave it.
        limit_s: the latency bound; None where there is none.
        trials: as many as the job may run.
        points: every trial with a score, in the order of the trials.
        best: those on the front, fastest first.
        chosen: with the score of its longer finetune; None until one is chosen.
    """

    job: str
    state: str
    budget: tuple[str, ...]
    limit_s: float | None
    metric: MetricReference
    trials: int
    points: tuple[FrontPoint, ...]
    best: tuple[FrontPoint, ...]
    unpruned: Landmark
    chosen: Landmark | None


def score_front(front: Front) -> Figure:
    """All trials faint, the front as a line, the budget, the unpruned network, the chosen one."""
    own = [point for point in front.best if point.start_from is None]
    accumulated = [point for point in front.best if point.start_from is not None]
    candidates = [point for point in front.points if point.purpose == "candidate"]
    others = [point for point in front.points if point.purpose != "candidate"]
    traces = [
        _faint("candidate", candidates, ACCENT),
        _faint("on the way", others, MUTED),
        _line("front", own, "solid", "circle"),
        _line("front, from accumulated weights", accumulated, "dot", "circle-open"),
        _landmark("unpruned", front.unpruned, "diamond"),
        _landmark("chosen, scored longer", front.chosen, "star"),
    ]
    figure = figure_of(traces, "predicted latency (ms)", score_title(front.metric))
    if front.limit_s is not None:
        mark_budget(figure, front.limit_s)
    return figure


def _scatter(name: str, points: Sequence[FrontPoint]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": name,
        "x": [point.predicted_latency_s * 1e3 for point in points],
        "y": [point.score for point in points],
        "text": [_hover(point) for point in points],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _faint(name: str, points: Sequence[FrontPoint], color: str) -> dict[str, Any]:
    symbols = ["circle" if point.start_from is None else "circle-open" for point in points]
    marker = {"color": color, "size": 7, "opacity": 0.5, "symbol": symbols}
    return {**_scatter(name, points), "mode": "markers", "marker": marker}


def _line(name: str, points: Sequence[FrontPoint], dash: str, symbol: str) -> dict[str, Any]:
    """A step line: at a latency between two trials, the faster one's score can be had."""
    return {
        **_scatter(name, points),
        "mode": "lines+markers",
        "line": {"shape": "hv", "width": 2, "color": STRONG, "dash": dash},
        "marker": {"color": STRONG, "size": 8, "symbol": symbol},
    }


def _landmark(name: str, network: Landmark | None, symbol: str) -> dict[str, Any]:
    found = [] if network is None else [network]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [each.latency_s * 1e3 for each in found],
        "y": [each.score for each in found],
        "text": [
            "<br>".join([each.says, *_scores(each.score, each.accuracy, each.latency_s)])
            for each in found
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": STRONG, "size": 14, "symbol": symbol},
    }


def _hover(point: FrontPoint) -> str:
    start = "" if point.start_from is None else f", from the weights of trial {point.start_from}"
    shown = [f"{name} {width}" for name, width in list(point.widths.items())[:MOST_GROUPS]]
    left = len(point.widths) - len(shown)
    return "<br>".join(
        [
            f"trial {point.trial} ({point.purpose}{start})",
            *_scores(point.score, point.accuracy, point.predicted_latency_s),
            f"{point.latency_fraction:.1%} of the unpruned network",
            *(", ".join(shown[place : place + 3]) for place in range(0, len(shown), 3)),
            *([f"and {left} more groups"] if left else []),
        ]
    )


def _scores(score: float, accuracy: float | None, latency_s: float) -> list[str]:
    shown = [f"score {score:.5g}", f"{latency_s * 1e3:.3f} ms"]
    return shown if accuracy is None else [shown[0], f"accuracy {accuracy:.2%}", shown[1]]
