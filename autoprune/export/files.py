"""The files of a bundle: their names, their hashes, reading and writing them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError

from autoprune.errors import InputError, StorageError, VerificationError
from autoprune.export.schedule import FORMAT, VERSION, Schedule
from latency_tables.canonical import content_hash
from latency_tables.runtimes.onnx_export import INPUT_NAME, output_names

SCHEDULE = "schedule.json"
WEIGHTS = "model.safetensors"
ONNX = "model.onnx"
UNPRUNED_ONNX = "unpruned.onnx"
CHECK = "check.safetensors"
REPORT = "report.html"
NEXT_REPORT = ".report.html.next"
"""A report whose schedule may be in place already: see :func:`replace_report`."""
HASHED = (WEIGHTS, ONNX, UNPRUNED_ONNX, CHECK, REPORT)
"""Every file of a bundle but the schedule, which holds their hashes."""

_LIST_OF_NUMBERS = re.compile(r"\[\n\s+([-+.eE0-9,\s]+?)\n\s+\]")


def sealed(schedule: Schedule, files: Mapping[str, str]) -> Schedule:
    """The schedule with the hashes of the bundle's files and of itself."""
    hashes = schedule.hashes.model_copy(update={"files": dict(files), "schedule": ""})
    open_schedule = schedule.model_copy(update={"hashes": hashes})
    hashes = hashes.model_copy(update={"schedule": schedule_hash(open_schedule)})
    return schedule.model_copy(update={"hashes": hashes})


def schedule_hash(schedule: Schedule) -> str:
    """What ``hashes.schedule`` must be."""
    return _hash_of(schedule.model_dump(mode="json"))


def _hash_of(content: dict[str, Any]) -> str:
    return content_hash({**content, "hashes": {**content["hashes"], "schedule": ""}})


def schedule_text(schedule: Schedule) -> str:
    """The text of ``schedule.json``: indented, with each list of numbers on one line."""
    text = json.dumps(schedule.model_dump(mode="json"), indent=2, allow_nan=False)
    return _LIST_OF_NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def read_schedule(folder: Path) -> Schedule:
    """The schedule of a bundle, validated but with its hashes unchecked.

    Raises:
        InputError: the folder is no bundle, or one of a newer version.
        VerificationError: the schedule does not hold what its format promises.
    """
    content = _read_json(folder)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(
            f"{folder} is not a bundle: its {SCHEDULE} does not say format {FORMAT!r}; "
            "name a folder written by 'autoprune export'"
        )
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise InputError(
            f"the bundle {folder} is of version {version}, this autoprune reads up to {VERSION}: "
            "install a newer autoprune"
        )
    try:
        return Schedule.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise VerificationError(
            f"{folder / SCHEDULE} was altered or damaged: {where}: {first['msg']} "
            f"({error.error_count()} such); export the job again"
        ) from None


def _read_json(folder: Path) -> Any:
    path = folder / SCHEDULE
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{folder} is not a bundle: it has no {SCHEDULE}; "
            "name a folder written by 'autoprune export'"
        ) from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise VerificationError(
            f"{path} was altered or damaged, it is not JSON ({error}); export the job again"
        ) from None


def check_file(folder: Path, name: str, schedule: Schedule) -> None:
    """Raise VerificationError unless a file is there and is the one that was exported."""
    path, expected = folder / name, schedule.hashes.files.get(name)
    if expected is None:
        raise VerificationError(
            f"{folder / SCHEDULE} holds no hash of {name}; export the job again"
        )
    if not path.is_file():
        raise VerificationError(f"{path} is missing from the bundle; export the job again")
    found = sha256(path)
    if found != expected:
        raise VerificationError(
            f"{path} was altered or damaged: its sha256 is {found[:12]}..., "
            f"{SCHEDULE} says {expected[:12]}...; export the job again"
        )


def check_seal(folder: Path, schedule: Schedule) -> None:
    """Raise VerificationError unless the schedule is the one that was exported.

    The file itself is hashed: one of an older version lacks fields that the schedule has.
    """
    if _hash_of(_read_json(folder)) != schedule.hashes.schedule:
        raise VerificationError(
            f"{folder / SCHEDULE} was altered: its content does not have the hash it states; "
            "export the job again"
        )


def sha256(path: Path) -> str:
    """Of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file; raises VerificationError when it is not one."""
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise VerificationError(f"{path} cannot be read as safetensors: {error}") from None


def read_check(folder: Path) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """The input and the outputs of ``check.safetensors``."""
    tensors = read_tensors(folder / CHECK)
    names = output_names(max(1, len(tensors) - 1))
    if tensors.keys() != {INPUT_NAME, *names}:
        raise VerificationError(
            f"{folder / CHECK} should hold input and output, it holds {sorted(tensors)}; "
            "export the job again"
        )
    return tensors[INPUT_NAME], tuple(tensors[name] for name in names)


def tensor_bytes(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """The content of a safetensors file."""
    # The format refuses tensors that share memory, as tied weights do.
    apart = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(apart, metadata={"format": "pt"})


def write_durably(path: Path, content: bytes) -> None:
    """Write a file and see it to the disk."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_report(folder: Path, schedule: Schedule, report: bytes) -> None:
    """Put another schedule and its report in the place of a bundle's, as one step.

    The new report waits beside the old one until the schedule that holds its hash has its name; a
    process killed in between leaves what :func:`finish_replacing` ends.

    Args:
        schedule: its hashes of the other files are kept, and sealed again.
    """
    waiting, text = folder / NEXT_REPORT, folder / f".{SCHEDULE}.partial"
    hashes = {**schedule.hashes.files, REPORT: hashlib.sha256(report).hexdigest()}
    try:
        for path, content in (
            (waiting, report),
            (text, schedule_text(sealed(schedule, hashes)).encode()),
        ):
            path.unlink(missing_ok=True)
            write_durably(path, content)
        sync_folder(folder)
        text.replace(folder / SCHEDULE)
        waiting.replace(folder / REPORT)
        sync_folder(folder)
    except OSError as error:
        finish_replacing(folder)
        raise StorageError(
            f"the bundle {folder} could not be changed: {error.strerror or error}; it is as it "
            "was. Free space, or pass --no-write"
        ) from error


def finish_replacing(folder: Path) -> None:
    """End what a killed :func:`replace_report` began: its report is put in place, or dropped."""
    waiting = folder / NEXT_REPORT
    if not waiting.exists():
        return
    with suppress(OSError):
        if sha256(waiting) == read_schedule(folder).hashes.files.get(REPORT):
            waiting.replace(folder / REPORT)
        waiting.unlink(missing_ok=True)
        (folder / f".{SCHEDULE}.partial").unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """See a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
