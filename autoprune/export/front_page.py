"""The page of a job's front: score against latency over all that it tried."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from autoprune.export.front import Front, front_document
from autoprune.export.page_scripts import inlined_scripts, plotly_script
from autoprune.export.report import page_environment


def render_front(front: Front) -> str:
    """The page as HTML; it holds its own styles, data and plotly.js, and loads nothing."""
    page: str = (
        page_environment()
        .get_template("front.html.j2")
        .render(
            front=front,
            accumulated=any(point.start_from is not None for point in front.points),
            drawn=_drawn(front),
            plotly=plotly_script(),
            scripts=inlined_scripts(),
        )
    )
    return page


def _drawn(front: Front) -> dict[str, Any]:
    """What the page's script is given."""
    metric, unpruned = front.metric.model_dump(mode="json"), front.unpruned.score
    return {
        "about": {"metric": metric, "baseScore": unpruned, "chosen": None},
        "trials": [{**asdict(point), "index": point.trial} for point in front.points],
        "front": front_document(front),
    }
