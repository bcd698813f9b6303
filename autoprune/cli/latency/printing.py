"""Tables and calibrations as the latency commands print them."""

from __future__ import annotations

from typing import Any

from autoprune.cli.output import print_json, print_table, say
from autoprune.jobs.tables import PricedTable
from latency_tables.calibration import Calibration
from latency_tables.table import Table

ERRORS = ("networks", "mape", "bias", "worst", "spearman", "repeat_noise")
"""What a calibration says of how far its table can be trusted; fractions, not percent."""


def about(table: Table) -> dict[str, Any]:
    """A table in a dozen words."""
    context = table.context
    return {
        "hash": table.hash,
        "runtime": context.runtime,
        "runtime_version": context.runtime_version,
        "batch": context.batch,
        "threads": context.threads,
        "dtype": context.dtype,
        "processor": context.device.processor,
        "instruction_set": context.device.instruction_set,
        "operators": len(table.entries),
        "noisy": sum(entry.sample.noisy for entry in table.entries),
    }


def shown(calibration: Calibration) -> dict[str, Any]:
    """A calibration as JSON values, without the networks it was fitted on."""
    document = calibration.to_json()
    return {name: document[name] for name in ("hash", "law")} | {
        name: getattr(calibration, name) for name in (*ERRORS, "margin")
    }


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
