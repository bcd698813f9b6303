"""The page of a job's front: score against latency over all that it tried."""

from __future__ import annotations

from autoprune.export.front_figures import Front, score_front
from autoprune.export.report import Chart, page_environment, plotly_script


def render_front(front: Front) -> str:
    """The page as HTML; it holds its own styles, data and plotly.js, and loads nothing."""
    chart = Chart("front", "Score against predicted latency", "", score_front(front))
    page: str = (
        page_environment()
        .get_template("front.html.j2")
        .render(
            front=front,
            accumulated=any(point.start_from is not None for point in front.points),
            charts=[chart],
            plotly=plotly_script(),
        )
    )
    return page
