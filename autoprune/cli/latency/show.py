"""`autoprune latency show`: the tables there are, one of them, its staircases."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from autoprune.cli.latency.options import TABLE_HELP, NetworkOptions, with_options
from autoprune.cli.latency.plot import write_plot
from autoprune.cli.latency.printing import print_about
from autoprune.cli.options import DEFAULT_DB, AsJson, Db, check_writable
from autoprune.cli.output import milliseconds, print_json, print_table, say
from autoprune.errors import InputError
from autoprune.jobs.admission import stored_tables
from autoprune.jobs.table_files import all_tables, find_table
from autoprune.jobs.table_summary import about, shown
from latency_tables.table import Table


@with_options
def show(
    options: NetworkOptions,
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help=TABLE_HELP)] = None,
    db: Db = DEFAULT_DB,
    entries: Annotated[bool, typer.Option("--entries", help="Also every operator.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Page to draw latency against width on, as in out.html."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="With --plot: draw the layers of this network.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the tables of a database, or show one with its calibrations and staircases."""
    if plot is not None:
        check_writable(plot)
    if model is not None and plot is None:
        raise InputError("--model says whose layers to draw: give the page with --plot as well")
    if table is None:
        if plot is not None:
            raise InputError("--plot draws one table: say which, by its file or its hash")
        _list(db, as_json)
        return
    found, calibrations = find_table(table, stored_tables(db))
    if plot is not None:
        write_plot(plot, found, model, options)
    if as_json:
        document = found.to_json() if entries else about(found)
        print_json({**document, "calibrations": [shown(each) for each in calibrations]})
        return
    print_about(found)
    for calibration in calibrations:
        say(calibration.describe())
    if entries:
        _print_entries(found)


def _print_entries(table: Table) -> None:
    print_table(
        "operators",
        ["operator", "median", "spread", "repeats", ""],
        [
            [
                entry.operator.label,
                milliseconds(entry.sample.median_s),
                milliseconds(entry.sample.mad_s),
                entry.sample.repeats,
                "noisy" if entry.sample.noisy else "",
            ]
            for entry in table.entries
        ],
    )


def _list(db: str, as_json: bool) -> None:
    rows = [
        {"hash": table.hash, **asdict(table.context), "operators": len(table.entries)}
        for table in all_tables(stored_tables(db))
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        "tables",
        ["table", "runtime", "batch", "threads", "processor", "operators"],
        [
            [
                row["hash"][:16],
                row["runtime"],
                row["batch"],
                row["threads"],
                row["device"]["processor"],
                row["operators"],
            ]
            for row in rows
        ],
    )
