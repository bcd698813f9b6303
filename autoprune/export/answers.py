"""What a device kit measured, checked and judged as a measurement made here would be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoprune.errors import InputError, VerificationError
from autoprune.export.comparing import Comparison, comparisons_of
from autoprune.export.files import ONNX, UNPRUNED_ONNX
from autoprune.export.measured import Measurement, judged
from autoprune.export.schedule import Schedule
from latency_tables.canonical import content_hash


class RefusedAnswersError(VerificationError):
    """Answers that were altered, or that are not of this bundle."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class _Network(_Part):
    sha256: str
    origin: str
    slot: int | None


class _Manifest(_Part):
    job: str
    digest: str
    threads: int
    batch: int
    networks: tuple[_Network, ...] = Field(min_length=2)


class _Document(_Part):
    """The parts of ``answers.json`` that are read here."""

    format: Literal["autoprune.answers"]
    version: Literal[1]
    manifest: _Manifest
    onnxruntime: str
    machine: dict[str, str | int]
    times_s: list[list[float]] = Field(min_length=10)


@dataclass(frozen=True)
class Answers:
    """Answers of one kit.

    Args:
        networks: origin, slot and hash of each, the unpruned one first.
        comparisons: of every network after the first.
        machine: processor, architecture, cores and system.
    """

    path: Path
    job: str
    digest: str
    networks: tuple[_Network, ...]
    comparisons: tuple[Comparison, ...]
    machine: Mapping[str, str | int]
    onnxruntime: str

    @property
    def measured_on(self) -> str:
        """The machine's processor."""
        return str(self.machine.get("processor", "unknown"))

    def same_device(self, device: Mapping[str, str | int]) -> bool:
        """Whether it is the kind of machine that a fingerprint is of, as far as the kit looks."""
        return all(device.get(key) == value for key, value in self.machine.items())


def read_answers(path: Path) -> Answers:
    """Read ``answers.json``.

    Raises:
        InputError: there is no such file.
        RefusedAnswersError: it is no answer file, or was altered.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read the answers {path}: {error.strerror or error}") from None
    except ValueError:
        content = None
    if not isinstance(content, dict) or content.get("format") != "autoprune.answers":
        raise _refused(path, "it is not what measure.py of a device kit writes")
    sealed = content.pop("sha256", None)
    if sealed is None or _hash_of(content) != sealed:
        raise _refused(path, "it was altered since it was measured: its hash is another")
    try:
        document = _Document.model_validate(content)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise _refused(path, f"{where}: {error.errors()[0]['msg']}") from None
    manifest, times = document.manifest, document.times_s
    if {len(row) for row in times} != {len(manifest.networks)} or np.min(times) <= 0:
        raise _refused(path, "times_s does not hold a positive time of every network in each round")
    return Answers(
        path,
        manifest.job,
        manifest.digest,
        manifest.networks,
        tuple(comparisons_of(np.array(times))),
        document.machine,
        document.onnxruntime,
    )


def _hash_of(content: object) -> str | None:
    try:
        return content_hash(content)
    except ValueError:  # a number that is not finite
        return None


def judge_answers(answers: Answers, schedule: Schedule) -> Measurement:
    """The measurement of this bundle's network, by the ONNX files' hashes.

    A budget relative to the unpruned network means the same on every machine. One in milliseconds
    is of the table's device: answers of another machine do not judge it.

    Raises:
        RefusedAnswersError: they are not of this bundle.
    """
    path = answers.path
    hashes = schedule.hashes.files
    if answers.digest != schedule.provenance.digest:
        raise _refused(
            path, f"it is of job {answers.job}, the bundle is of job {schedule.provenance.job}"
        )
    if answers.networks[0].sha256 != hashes.get(UNPRUNED_ONNX):
        raise _refused(path, f"its unpruned network is not the bundle's {UNPRUNED_ONNX}")
    for network, found in zip(answers.networks[1:], answers.comparisons, strict=True):
        if network.sha256 == hashes.get(ONNX):
            same = answers.same_device(schedule.device)
            judge = same or schedule.budget.latency_fraction is not None
            return judged(found, schedule, answers.measured_on, same_device=same, judge=judge)
    raise _refused(path, f"none of its networks is the bundle's {ONNX}")


def _refused(path: Path, why: str) -> RefusedAnswersError:
    return RefusedAnswersError(
        f"the answers {path} are refused: {why}; run measure.py of this job's kit ('autoprune "
        "export JOB --kit FILE.zip') on the device, and give what it writes"
    )
