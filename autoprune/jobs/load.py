"""Saying that the machine is busy, before and while it is measured."""

from __future__ import annotations

import os

from autoprune.jobs.context import Progress

BUSY = 0.75
"""Load per core from which on a measurement is likely to be disturbed; the measurement that has
just ended adds one core's worth itself."""
ADVICE = "end other work, see docs/latency-tables.md#quiet-the-machine"


def warn_of_load(progress: Progress) -> None:
    """Say so where the last minute's load per core is high."""
    # The system counts the work of the whole host, whichever cores this process may use.
    warning = load_warning(os.getloadavg()[0], os.cpu_count() or 1)
    if warning:
        progress("warning", {"text": warning})


def load_warning(load: float, cores: int) -> str | None:
    """What to say of a load average on so many cores; None where there is nothing to say."""
    if load / cores <= BUSY:
        return None
    return (
        f"the machine is busy (load {load:.1f} on {cores} cores in the last minute), which makes "
        f"latencies wrong or noisy: {ADVICE}"
    )


class LoadReport:
    """Tells of a load that shows while operators are measured: at once, and at the end.

    Args:
        progress: gets a ``load`` event with the anchor's slowdown when it first shows, and one
            more at the end, with the worst slowdown and the number of noisy entries.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._worst: float | None = None

    def seen(self, slowdown: float) -> None:
        """The anchor took ``slowdown`` times as long as at first."""
        if self._worst is None:
            self._progress("load", {"slowdown": slowdown, "advice": ADVICE})
        if self._worst is None or abs(slowdown - 1) > abs(self._worst - 1):
            self._worst = slowdown

    def ended(self, noisy: int, entries: int) -> None:
        """The measurement is over."""
        if self._worst is not None:
            self._progress("load", {"slowdown": self._worst, "noisy": noisy, "entries": entries})
