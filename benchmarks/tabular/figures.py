"""Curves of regret against trials, with quartiles, on one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from benchmarks.tabular.runs import FloatArray

LEAST = 1e-3
"""Where the logarithmic axis ends: the gap up to which optima are proven."""


def page(by_case: Mapping[tuple[str, float], FloatArray], path: str) -> None:
    """Write a self-contained page: one panel for each budget, one colour for each searcher."""
    budgets = sorted({budget for _, budget in by_case})
    searchers = list(dict.fromkeys(searcher for searcher, _ in by_case))
    figure = make_subplots(
        cols=len(budgets),
        shared_yaxes=True,
        subplot_titles=[f"{budget:.0%} of the latency" for budget in budgets],
    )
    for (searcher, budget), regrets in by_case.items():
        colour = qualitative.Dark24[searchers.index(searcher)]
        column = 1 + budgets.index(budget)
        for trace in _traces(searcher, regrets, colour, named=column == 1):
            figure.add_trace(trace, row=1, col=column)
    figure.update_yaxes(type="log", range=[np.log10(LEAST), 0.3])
    figure.update_yaxes(title_text="regret: 0 is the optimum, 1 the uniform schedule", col=1)
    figure.update_xaxes(title_text="trials")
    figure.update_layout(template="plotly_white", width=1200, height=520)
    Path(path).write_text(figure.to_html(include_plotlyjs=True), encoding="utf-8")


def _traces(searcher: str, regrets: FloatArray, colour: str, *, named: bool) -> list[go.Scatter]:
    finite = np.where(np.isfinite(regrets), regrets, np.nan)
    started = np.isfinite(regrets).mean(axis=0) > 0.75
    low, middle, high = np.nanquantile(
        np.maximum(finite[:, started], LEAST), [0.25, 0.5, 0.75], axis=0
    )
    trials = 1 + np.flatnonzero(started)
    band = go.Scatter(
        x=np.concatenate([trials, trials[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor=colour,
        opacity=0.12,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        legendgroup=searcher,
    )
    line = go.Scatter(
        x=trials,
        y=middle,
        name=searcher,
        line={"color": colour, "width": 2},
        legendgroup=searcher,
        showlegend=named,
    )
    return [band, line]
