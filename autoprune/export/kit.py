"""The device kit: one zip that measures a job's networks where there is onnxruntime alone."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoprune.errors import InputError, StorageError
from autoprune.export.archive import zip_of
from autoprune.export.comparing import ROUNDS, SECONDS
from autoprune.export.files import UNPRUNED_ONNX, sync_folder, write_durably
from autoprune.export.schedule import Schedule

FORMAT = "autoprune.kit"
VERSION = 1
MANIFEST = "manifest.json"
RUNNER = "measure.py"


@dataclass(frozen=True)
class KitNetwork:
    """One network of a kit.

    Args:
        origin: ``unpruned``, or the finalist it is, as in ``ladder 96%``.
        slot: of the finalist; None for the unpruned network.
        onnx: the ONNX file.
        predicted_s: by the latency table.
    """

    origin: str
    slot: int | None
    onnx: bytes
    predicted_s: float

    @property
    def file(self) -> str:
        """Its name in the zip."""
        return UNPRUNED_ONNX if self.slot is None else f"finalist-{self.slot}.onnx"


def write_kit(
    path: Path, schedule: Schedule, networks: Sequence[KitNetwork], input_shape: Sequence[int]
) -> None:
    """Write the zip, whole or not at all.

    Args:
        path: a file that does not exist yet.
        schedule: of the job's bundle.
        networks: the unpruned one first.
        input_shape: that they take, batch included.

    Raises:
        InputError: the file is there already, or the runtime is not onnxruntime.
        StorageError: it cannot be written.
    """
    check_kit(path, schedule.runtime)
    contents: dict[str, bytes] = {
        MANIFEST: json.dumps(_manifest(schedule, networks, input_shape), indent=1).encode(),
        RUNNER: Path(__file__).with_name("kit_runner.py").read_bytes(),
        **{network.file: network.onnx for network in networks},
    }
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        write_durably(partial, zip_of(contents))
        partial.replace(path)
        sync_folder(path.absolute().parent)
    except OSError as error:
        raise StorageError(
            f"the device kit could not be written to {path}: {error.strerror or error}; nothing "
            "was left there. Free space or name another file"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def check_kit(path: Path, runtime: str) -> None:
    """Raise InputError where a kit cannot be written, or would be of no use."""
    if runtime != "onnxruntime":
        raise InputError(
            f"a device kit measures with onnxruntime, this job's latencies are of {runtime!r}: "
            "search with --runtime onnxruntime, or run 'autoprune verify' on the device"
        )
    if path.exists():
        raise InputError(f"{path} is there already: name another file for the device kit")
    if not path.absolute().parent.is_dir():
        raise InputError(f"cannot write {path}: give the path of a file in a folder that exists")


def _manifest(
    schedule: Schedule, networks: Sequence[KitNetwork], input_shape: Sequence[int]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "job": schedule.provenance.job,
        "digest": schedule.provenance.digest,
        "runtime": schedule.runtime,
        "threads": schedule.threads,
        "batch": schedule.batch,
        "input_shape": list(input_shape),
        "rounds": ROUNDS,
        "seconds": SECONDS,
        "budget": schedule.budget.model_dump(mode="json"),
        "base_s": schedule.latency.base_s,
        "networks": [
            {
                "file": network.file,
                "sha256": hashlib.sha256(network.onnx).hexdigest(),
                "origin": network.origin,
                "slot": network.slot,
                "predicted_s": network.predicted_s,
            }
            for network in networks
        ],
    }
