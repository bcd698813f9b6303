"""`autoprune latency export`: a table of the database as one portable file."""

from __future__ import annotations

from typing import Annotated

import typer

from autoprune.cli.latency.options import TABLE_HELP, TableOut
from autoprune.cli.latency.printing import print_about
from autoprune.cli.options import DEFAULT_DB, AsJson, Db, check_writable
from autoprune.cli.output import print_json, say
from autoprune.jobs.admission import stored_tables
from autoprune.jobs.table_files import find_table
from autoprune.jobs.table_summary import about, shown
from latency_tables.storage import save


def export(
    table: Annotated[str, typer.Argument(metavar="TABLE", help=TABLE_HELP)],
    out: TableOut,
    db: Db = DEFAULT_DB,
    as_json: AsJson = False,
) -> None:
    """Write a table with all its calibrations into one file, to be imported elsewhere."""
    check_writable(out)
    found, calibrations = find_table(table, stored_tables(db))
    save(out, found, calibrations)
    say(f"written to {out}; calibrations in it: {len(calibrations)}")
    if as_json:
        print_json({**about(found), "calibrations": [shown(each) for each in calibrations]})
    else:
        print_about(found)
