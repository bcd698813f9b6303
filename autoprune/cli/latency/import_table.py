"""`autoprune latency import`: a table file into the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoprune import composition
from autoprune.cli.latency.printing import print_about
from autoprune.cli.options import DEFAULT_DB, AsJson, Db
from autoprune.cli.output import print_json, say
from autoprune.jobs.table_summary import about, shown


def import_table(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table file.")],
    db: Db = DEFAULT_DB,
    as_json: AsJson = False,
) -> None:
    """Keep the table of a file in the database, with its calibrations."""
    table, calibrations = composition.import_table(file, db)
    say(f"table {table.hash[:12]} is in {db}; calibrations in it: {len(calibrations)}")
    if as_json:
        print_json({**about(table), "calibrations": [shown(each) for each in calibrations]})
    else:
        print_about(table)
