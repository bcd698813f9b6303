"""The page of `autoprune latency show TABLE --plot FILE`."""

from __future__ import annotations

from pathlib import Path

from autoprune import composition
from autoprune.cli.latency.options import NetworkOptions
from autoprune.cli.output import say
from autoprune.cli.progress import shown_progress
from autoprune.export.staircase_page import render_staircases
from latency_tables.storage import write_whole
from latency_tables.table import Table


def write_plot(path: Path, table: Table, model: str | None, options: NetworkOptions) -> None:
    """Draw a table's staircases: of every operator, or of the layers of a model."""
    if model is None:
        page = render_staircases(table)
    else:
        spec = options.spec(model=model, batch=table.context.batch)
        with shown_progress(0) as progress:
            page = composition.draw_network(spec, options.classes, options.shape, table, progress)
    write_whole(path, page)
    say(f"written to {path}")
