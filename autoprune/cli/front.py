"""The front of `autoprune show JOB --front`: a table, and a page with `--plot FILE`."""

from __future__ import annotations

from pathlib import Path

from autoprune.cli.output import milliseconds, number, percent, print_table, say
from autoprune.cli.remote import RemoteServer
from autoprune.errors import InputError
from autoprune.export.front import Front
from autoprune.export.front_page import render_front
from autoprune.jobs.front import front_told
from latency_tables.storage import write_whole


def found_front(front: Front, plot: Path | None) -> Front:
    """A front, drawn where a page is asked for.

    Raises:
        InputError: no trial has a score yet.
    """
    if not front.points:
        raise InputError(
            f"job {front.job} is {front.state} and no trial of it has a score: there is no front "
            f"yet. See 'autoprune trials {front.job}', or go on with 'autoprune resume {front.job}'"
        )
    if plot is not None:
        write_whole(plot, render_front(front))
        say(f"written to {plot}")
    return front


def fetch_front(server: RemoteServer, job: str) -> Front:
    """The front of a server's job, with all its trials.

    Args:
        job: its whole id.
    """
    document = server.get(f"/v1/jobs/{job}/front")
    return front_told(document, server.items(f"/v1/jobs/{job}/trials", limit=500))


def print_front(front: Front) -> None:
    """The trials on the front, fastest first."""
    so_far = "" if front.state == "finished" else f" of {front.trials} so far"
    print_table(
        f"front of score against latency, over {len(front.points)} trials{so_far} "
        f"({front.metric.name}: {front.metric.direction})",
        [
            *("trial", "purpose", "weights", "predicted", "of unpruned", "MACs", "score"),
            front.figure or "accuracy",
        ],
        [
            [
                point.trial,
                point.purpose,
                "base" if point.start_from is None else f"trial {point.start_from}",
                milliseconds(point.predicted_latency_s),
                percent(point.latency_fraction),
                "-" if point.macs is None else f"{point.macs:,}",
                f"{point.score:.4f}",
                number(point.figure) if front.figure else percent(point.accuracy),
            ]
            for point in front.best
        ],
    )
    if any(point.start_from is not None for point in front.best):
        say(
            "trials from another trial's weights were finetuned for longer, which flatters their "
            "scores: they stand here only where no trial from the base weights is as fast"
        )
