"""The errors of latency_tables; each message names the thing, what came and what to do.

* LatencyTableError
    * UnknownRuntimeError           no runtime of that name; lists what there is
    * RuntimeNotInstalledError      its library or device is missing here; says what to install
    * UnsupportedOperatorError      a runtime cannot run an operator as described
    * MissingOperatorError          the table has no latency for an operator, and will not guess
    * TableFileError                a table file that is unreadable, altered or too new
    * IncompatibleTablesError       tables of different contexts; names the differing field
    * CalibrationError              too few or unusable whole-network runs
    * MeasuringBusyError            another measurement held the host for too long
"""

from __future__ import annotations

from collections.abc import Iterable


class LatencyTableError(Exception):
    """Base of every error this package raises on purpose."""


class UnknownRuntimeError(LatencyTableError):
    """No such runtime is registered."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown runtime {name!r}; there is: {', '.join(sorted(known))}")


class RuntimeNotInstalledError(LatencyTableError):
    """A runtime cannot run on this machine: its library, compiler or device is missing."""


class UnsupportedOperatorError(LatencyTableError):
    """A runtime cannot run an operator as described."""


class MissingOperatorError(LatencyTableError):
    """An operator was neither measured nor lies between measured neighbours."""


class TableFileError(LatencyTableError):
    """A table file cannot be read, was altered after it was sealed, or is of a newer version."""


class IncompatibleTablesError(LatencyTableError):
    """Tables measured under different conditions; their latencies may not be mixed."""


class CalibrationError(LatencyTableError):
    """The whole-network runs cannot be calibrated against."""


class MeasuringBusyError(LatencyTableError):
    """Another measurement on this host did not end in time."""
