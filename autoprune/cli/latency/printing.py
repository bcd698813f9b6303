"""Tables and calibrations as the latency commands print them."""

from __future__ import annotations

from typing import Any

from autoprune.cli.output import print_json, print_table, say
from autoprune.jobs.table_summary import about, shown
from autoprune.jobs.tables import PricedTable
from latency_tables.table import Table


def print_about(table: Table) -> None:
    """A table's own words, on stdout."""
    rows = [[name, value] for name, value in about(table).items()]
    print_table(f"table {table.hash[:16]}", ["", "value"], rows)


def print_priced(priced: PricedTable, as_json: bool, **more: Any) -> None:
    """A table with the calibration that was made for it.

    Args:
        more: further fields of the JSON.
    """
    if as_json:
        print_json({**about(priced.table), **more, "calibration": shown(priced.calibration)})
        return
    print_about(priced.table)
    say(priced.describe())
    parts = (f"{name} {share:+.1%}" for name, share in priced.calibration.shares().items())
    say(f"what the measured time is made of: {', '.join(parts)}")
