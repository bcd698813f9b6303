"""Table files from elsewhere: a seal says that one is whole, not that it is sound.

Whoever makes a file makes its seal, so every value is checked before anything is stored.
"""

from __future__ import annotations

import json
import math

from pydantic import TypeAdapter, ValidationError

from autoprune.errors import TableError
from autoprune.trials.records import Json
from latency_tables.calibration import Calibration
from latency_tables.errors import LatencyTableError
from latency_tables.storage import parse
from latency_tables.table import Entry, Table, TableContext

_CONTEXT = TypeAdapter(TableContext)
_ENTRIES = TypeAdapter(list[Entry])
_CALIBRATIONS = TypeAdapter(list[Json])


def read_document(values: Json) -> tuple[Table, tuple[Calibration, ...]]:
    """A table of the content of a table file, with its calibrations, the newest last.

    Raises:
        TableError: it is none, was altered, or says what no measurement can.
    """
    try:
        table, calibrations = parse(values, "what was sent")
        _CONTEXT.validate_json(_text(values["table"]["context"]), strict=True)
        _ENTRIES.validate_json(_text(values["table"]["entries"]), strict=True)
        _CALIBRATIONS.validate_json(_text(values["calibrations"]), strict=True)
        for entry in table.entries:
            _check_entry(entry)
        for calibration in calibrations:
            _check_calibration(calibration)
    except LatencyTableError as error:
        raise TableError(str(error)) from error
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"]))
        raise TableError(f"the table cannot be used: {where}: {found['msg']}") from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise TableError(f"what was sent is not a complete latency table: {error!r}") from error
    return table, calibrations


def _text(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def _check_entry(entry: Entry) -> None:
    operator, sample = entry.operator, entry.sample
    seconds = (sample.median_s, sample.mad_s, *sample.quantiles, entry.cold)
    if sample.median_s <= 0 or min(seconds) < 0 or not sample.quantiles or sample.repeats < 1:
        raise TableError(f"{operator.label}: expected timings over 0 s, got {sample}")
    sizes = (operator.in_channels, operator.out_channels, operator.height, operator.width)
    if not all(0 < each < 2**31 for each in sizes):
        raise TableError(f"{operator.label}: expected sizes over 0, got {sizes}")


def _check_calibration(calibration: Calibration) -> None:
    errors = (calibration.mape, calibration.bias, calibration.worst, calibration.spearman)
    numbers = [*errors, calibration.repeat_noise, *vars(calibration.law).values()]
    numbers += [value for run in calibration.runs for value in vars(run).values()]
    sound = all(isinstance(each, int | float) and not math.isnan(each) for each in numbers)
    named = isinstance(calibration.network, str) and isinstance(calibration.table, str)
    measured = [0 < run.measured_s < math.inf for run in calibration.runs]
    if not (sound and named and measured and all(measured) and 0 <= calibration.margin < 1):
        raise TableError(
            f"calibration {calibration.hash[:12]}: expected a network's name, its runs in seconds, "
            "errors and a margin"
        )
