"""Measured latencies of neural network operators, and prices read from them.

A table of two operators, measured, saved, loaded and asked:

    >>> from latency_tables import *
    >>> conv = Operator("conv", 16, 16, height=8, width=8, kernel=(3, 3), padding=(1, 1))
    >>> wider = conv.with_channels(16, 32)
    >>> onnx = runtime("onnxruntime")
    >>> with measuring_lock():
    ...     entries = measure_operators([conv, wider], runtime=onnx, batch=1, threads=1)
    >>> context = TableContext("onnxruntime", onnx.version(), 1, 1, device_of(onnx))
    >>> save("two.json", Table(context, tuple(entries), METHOD))
    >>> table, calibrations = load("two.json")
    >>> table.price(conv).source, table.price(conv.with_channels(16, 24)).source
    ('measured', 'interpolated')
    >>> table.price(conv).seconds > 0
    True

The package depends on nothing of autoprune.
"""

from latency_tables.build import METHOD, measure_operators
from latency_tables.calibration import Calibration, NetworkRun, fit
from latency_tables.device import DeviceFingerprint, this_device
from latency_tables.errors import (
    CalibrationError,
    IncompatibleTablesError,
    LatencyTableError,
    MeasuringBusyError,
    MissingOperatorError,
    RuntimeNotInstalledError,
    TableFileError,
    UnknownRuntimeError,
    UnsupportedOperatorError,
)
from latency_tables.lock import measuring_lock
from latency_tables.lookup import Price
from latency_tables.measuring import (
    Ratio,
    interleaved_times,
    ratio_to_first,
    ratios_of,
    time_interleaved,
)
from latency_tables.merging import merge
from latency_tables.network_sums import NetworkSums
from latency_tables.operators import Operator
from latency_tables.runtimes import (
    OwnDevice,
    Runner,
    Runtime,
    SelfTimed,
    device_of,
    runs_here,
    runtime,
    runtime_names,
)
from latency_tables.statistics import Sample, summarise
from latency_tables.storage import load, save
from latency_tables.table import Entry, Table, TableContext

__all__ = [
    "METHOD",
    "Calibration",
    "CalibrationError",
    "DeviceFingerprint",
    "Entry",
    "IncompatibleTablesError",
    "LatencyTableError",
    "MeasuringBusyError",
    "MissingOperatorError",
    "NetworkRun",
    "NetworkSums",
    "Operator",
    "OwnDevice",
    "Price",
    "Ratio",
    "Runner",
    "Runtime",
    "RuntimeNotInstalledError",
    "Sample",
    "SelfTimed",
    "Table",
    "TableContext",
    "TableFileError",
    "UnknownRuntimeError",
    "UnsupportedOperatorError",
    "device_of",
    "fit",
    "interleaved_times",
    "load",
    "measure_operators",
    "measuring_lock",
    "merge",
    "ratio_to_first",
    "ratios_of",
    "runs_here",
    "runtime",
    "runtime_names",
    "save",
    "summarise",
    "this_device",
    "time_interleaved",
]
