"""A table with its calibrations in one portable file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from latency_tables.calibration import Calibration
from latency_tables.canonical import content_hash
from latency_tables.errors import TableFileError
from latency_tables.table import Table, check_version

FORMAT = "autoprune latency table"
FORMAT_VERSION = 1


def save(path: str | Path, table: Table, calibrations: Sequence[Calibration] = ()) -> None:
    """Write a table and calibrations made against it, durably: all of it or nothing.

    Raises:
        TableFileError: a calibration is of another table, or the file cannot be written.
    """
    for calibration in calibrations:
        _check_belongs(calibration, table)
    content = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "table": table.to_json(),
        "calibrations": [calibration.to_json() for calibration in calibrations],
    }
    text = json.dumps({**content, "seal": content_hash(content)}, indent=1, allow_nan=False)
    try:
        _write(Path(path), text + "\n")
    except OSError as error:
        raise TableFileError(f"cannot write the latency table {path}: {error}") from error


def load(path: str | Path) -> tuple[Table, tuple[Calibration, ...]]:
    """Read what :func:`save` wrote.

    Raises:
        TableFileError: unreadable, not a latency table, of a newer version, or altered since.
    """
    values = _read(Path(path))
    check_version(f"latency table {path}", values, FORMAT_VERSION)
    content = {key: value for key, value in values.items() if key != "seal"}
    if content_hash(content) != values.get("seal"):
        raise TableFileError(
            f"the latency table {path} was altered after it was sealed: measure it again or "
            "restore the original"
        )
    table = Table.from_json(values["table"])
    calibrations = tuple(Calibration.from_json(each) for each in values["calibrations"])
    for calibration in calibrations:
        _check_belongs(calibration, table)
    return table, calibrations


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except OSError as error:
        raise TableFileError(f"cannot read the latency table {path}: {error}") from error
    except ValueError as error:
        raise TableFileError(f"{path} is not a latency table: {error}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise TableFileError(
            f"{path} is not a latency table: write one with 'autoprune latency measure --out'"
        )
    return values


def _check_belongs(calibration: Calibration, table: Table) -> None:
    if calibration.table != table.hash:
        raise TableFileError(
            f"the calibration of {calibration.network} was made against the table "
            f"{calibration.table[:12]}, not {table.hash[:12]}: calibrate again"
        )


def _write(path: Path, text: str) -> None:
    with NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
