"""A table with its calibrations in one portable file."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
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
        write_whole(Path(path), text + "\n")
    except OSError as error:
        raise TableFileError(f"cannot write the latency table {path}: {error}") from error


def load(path: str | Path) -> tuple[Table, tuple[Calibration, ...]]:
    """Read what :func:`save` wrote.

    Raises:
        TableFileError: unreadable, not a latency table, of a newer version, or altered since.
    """
    return parse(_read(Path(path)), str(path))


def parse(values: object, name: str) -> tuple[Table, tuple[Calibration, ...]]:
    """Read the content of a file that :func:`save` wrote.

    Args:
        values: JSON values.
        name: of the file, for messages.

    Raises:
        TableFileError: not a latency table, of a newer version, or altered since.
    """
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise TableFileError(
            f"{name} is not a latency table: write one with 'autoprune latency measure --out'"
        )
    check_version(f"latency table {name}", values, FORMAT_VERSION)
    if not _is_sealed(values):
        raise TableFileError(
            f"the latency table {name} was altered after it was sealed: measure it again or "
            "restore the original"
        )
    table = Table.from_json(values["table"])
    calibrations = tuple(Calibration.from_json(each) for each in values["calibrations"])
    for calibration in calibrations:
        _check_belongs(calibration, table)
    return table, calibrations


def _is_sealed(values: dict[str, Any]) -> bool:
    content = {key: value for key, value in values.items() if key != "seal"}
    try:
        return content_hash(content) == values.get("seal")
    except ValueError:  # NaN or infinity, which no seal was ever made over
        return False


def _read(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TableFileError(
            f"cannot read the latency table {path}: {error.strerror or error}"
        ) from error
    except ValueError as error:
        raise TableFileError(f"{path} is not a latency table: it is not text") from error
    if not text.strip():
        raise TableFileError(f"{path} is not a latency table, it is empty: copy it again")
    try:
        values: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableFileError(
            f"{path} is not a latency table, or was cut short ({error}): copy it again, or measure "
            "it again"
        ) from error
    return values


def _check_belongs(calibration: Calibration, table: Table) -> None:
    if calibration.table != table.hash:
        raise TableFileError(
            f"the calibration of {calibration.network} was made against the table "
            f"{calibration.table[:12]}, not {table.hash[:12]}: calibrate again"
        )


def write_whole(path: Path, text: str) -> None:
    """Write a file durably: all of it or nothing."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
