"""`autoprune compare`: several jobs side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, AsJson, Db
from autoprune.cli.output import milliseconds, number, percent, print_json, print_table
from autoprune.jobs.summary import comparison
from autoprune.trials.records import Json


def compare(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB JOB...", help="Ids of the jobs.")],
    db: Db = DEFAULT_DB,
    as_json: AsJson = False,
) -> None:
    """Put jobs side by side: accuracy before and after the final finetune, latency, time."""
    store = composition.records_of(db)
    rows = [comparison(store, job) for job in jobs]
    if as_json:
        print_json(rows)
        return
    print_table(
        "jobs",
        [
            "job",
            "searcher",
            "trials",
            "budget",
            "base",
            "after search",
            "after finetune",
            "measured",
            "of base",
            "trial time",
        ],
        [
            [
                row["job"],
                row["searcher"],
                row["trials"],
                row["budget"],
                *(_told(row, step) for step in ("base", "after_search", "after_finetune")),
                milliseconds(row["measured_latency_s"]),
                percent(row["measured_ratio"]),
                f"{row['seconds_per_trial']:.1f} s" if row["seconds_per_trial"] else "-",
            ]
            for row in rows
        ],
    )


def _told(row: Json, step: str) -> str:
    """An accuracy; of a task the value that it has in its place."""
    figure = row.get("figure")
    return percent(row[f"accuracy_{step}"]) if figure is None else number(figure[step])
