"""What a latency depends on in the machine that it was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from latency_tables.canonical import content_hash


@dataclass(frozen=True)
class DeviceFingerprint:
    """A kind of machine; two hosts that agree in all of it may share a table.

    Args:
        processor: model name, as in ``AMD EPYC 7763``.
        architecture: as in ``x86_64``.
        cores: logical processors of the host.
        instruction_set: widest vector extension in use, as in ``AVX512``.
        system: operating system, as in ``Linux``.
        accelerator: what runs the network beside the processor, as in ``NVIDIA L4, sm_89, 58
            multiprocessors``; None where the processor does.
    """

    processor: str
    architecture: str
    cores: int
    instruction_set: str
    system: str
    accelerator: str | None = None

    @property
    def digest(self) -> str:
        """Twelve hex digits that stand for this kind of machine."""
        return content_hash(self.to_json())[:12]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; without an accelerator there is no such key, as in older tables."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DeviceFingerprint:
        """The reverse of :meth:`to_json`."""
        return cls(**values)


def this_device() -> DeviceFingerprint:
    """The fingerprint of this machine's processor; it holds no host name."""
    return DeviceFingerprint(
        processor=_processor_name(),
        architecture=platform.machine(),
        cores=os.cpu_count() or 1,
        instruction_set=torch.backends.cpu.get_cpu_capability(),
        system=platform.system(),
    )


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown"
