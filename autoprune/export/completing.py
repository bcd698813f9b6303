"""A bundle that was predicted becomes one that was measured."""

from __future__ import annotations

from pathlib import Path

from autoprune.budget import milliseconds
from autoprune.export import files
from autoprune.export.history import history_of
from autoprune.export.measured import Measurement
from autoprune.export.report import render_report
from autoprune.export.schedule import VERSION, Schedule


def complete(folder: Path, schedule: Schedule, measured: Measurement) -> str:
    """Write a measurement into a bundle, whose hashes are sealed again; says what was done.

    Nothing but ``schedule.json`` and ``report.html`` changes, and both do as one step.

    Raises:
        StorageError: the folder cannot be written; the bundle is as it was.
    """
    latency = schedule.latency.model_copy(
        update={
            "status": "measured",
            "measured_s": measured.latency_s,
            "measured_ratio": measured.ratio,
            "measured_on": measured.measured_on,
        }
    )
    measured_here = {"status": "measured", "measured_s": measured.latency_s}
    devices = tuple(
        row.model_copy(update=measured_here) if row.is_primary_of(schedule) else row
        for row in schedule.devices
    )
    update = {"version": VERSION, "latency": latency, "devices": devices}
    after = schedule.model_copy(update=update)
    report = (folder / files.REPORT).read_bytes()
    history = history_of(report.decode())
    if history is not None:
        report = render_report(after, history).encode()
    files.replace_report(folder, after, report)
    said = f"the bundle says measured now, on {measured.measured_on}"
    if history is None:
        said += f"; {files.REPORT} still says predicted: only 'autoprune export' can write it again"
    return said


def finalist_that_fits(schedule: Schedule, measured: Measurement) -> str:
    """Which finalist would fit, by how far the prediction was off; empty without a ladder."""
    limit = schedule.budget.latency_s
    if limit is None or not schedule.finalists:
        return ""
    off = (measured.ratio + measured.uncertainty) * schedule.latency.base_s
    off /= schedule.latency.predicted_s
    for finalist in schedule.finalists:
        if finalist.score is not None and finalist.predicted_s * off <= limit:
            return (
                f"; finalist '{finalist.origin}' would fit, predicted at "
                f"{milliseconds(finalist.predicted_s)}"
            )
    would = milliseconds(limit / off).replace(" ", "")
    return f"; no finalist would fit: search again with a budget of {would}"
