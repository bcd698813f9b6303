"""Tables and calibrations as others read them: what the latency commands and the service say."""

from __future__ import annotations

from autoprune.trials.records import Json
from latency_tables.calibration import Calibration
from latency_tables.table import Table

ERRORS = ("networks", "mape", "bias", "worst", "spearman", "repeat_noise")
"""What a calibration says of how far its table can be trusted; fractions, not percent."""


def about(table: Table) -> Json:
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


def shown(calibration: Calibration) -> Json:
    """A calibration as JSON values, without the networks it was fitted on."""
    document = calibration.to_json()
    return {name: document[name] for name in ("hash", "law")} | {
        name: getattr(calibration, name) for name in (*ERRORS, "margin")
    }
