"""Measure a bundle's pruned and unpruned networks against each other on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from autoprune.errors import InputError
from autoprune.export.files import ONNX, UNPRUNED_ONNX, read_check
from autoprune.export.load import ModelSource, load, unpruned_network
from autoprune.export.onnx_files import onnx_runner
from autoprune.export.schedule import Schedule
from latency_tables.device import DeviceFingerprint
from latency_tables.lock import measuring_lock
from latency_tables.measuring import interleaved_times, ratios_of
from latency_tables.runtimes import runs_here, runtime

Runner = Callable[[], None]


@dataclass(frozen=True)
class Measurement:
    """Latencies of both networks, measured interleaved.

    Args:
        pruned_s, unpruned_s: medians, in seconds per call.
        ratio: median over the rounds of pruned / unpruned.
        uncertainty: half-width of the ratio's 95% interval.
        latency_s: ratio x the base latency of the schedule: on the budget's scale.
        same_device: whether this is the kind of machine the table was measured on.
        within_budget: None where there is no latency bound, or on another device.
    """

    pruned_s: float
    unpruned_s: float
    ratio: float
    uncertainty: float
    latency_s: float
    same_device: bool
    within_budget: bool | None


def measure_bundle(
    folder: Path, schedule: Schedule, *, rounds: int, model: ModelSource | None
) -> Measurement:
    """Measure on the schedule's runtime and threads, under the host's measuring lock.

    Args:
        folder: of the bundle, whose files were checked.
        schedule: of the bundle.
        rounds: each times both networks once.
        model: where the runtime needs it; as for :func:`autoprune.export.load.load`.

    Raises:
        InputError: the runtime needs the model and there is none.
        VerificationError: an ONNX file does not run.
    """
    runners = _runners(folder, schedule, model)
    with measuring_lock():
        times = interleaved_times(runners, rounds=rounds)
    ratio = ratios_of(times)[1]
    unpruned_s, pruned_s = (float(median) for median in np.median(times, axis=0))
    same_device = runs_here(schedule.runtime, DeviceFingerprint.from_json(schedule.device))
    latency_s = ratio.median * schedule.latency.base_s
    limit = schedule.budget.latency_s
    within = None
    if limit is not None and same_device:
        within = (ratio.median - ratio.uncertainty) * schedule.latency.base_s <= limit
    return Measurement(
        pruned_s, unpruned_s, ratio.median, ratio.uncertainty, latency_s, same_device, within
    )


def _runners(folder: Path, schedule: Schedule, model: ModelSource | None) -> list[Runner]:
    """The unpruned network's first."""
    inputs, _ = read_check(folder)
    if schedule.runtime == "onnxruntime":
        return [
            onnx_runner((folder / name).read_bytes(), inputs, schedule.threads, name)
            for name in (UNPRUNED_ONNX, ONNX)
        ]
    if model is None and schedule.model.name is None:
        raise InputError(
            f"the latency is for runtime {schedule.runtime!r}, which runs the model itself, and "
            "the bundle does not name its model: give it as model="
        )
    port = runtime(schedule.runtime)
    networks: list[torch.nn.Module] = [
        unpruned_network(schedule, model).eval(),
        load(folder, model=model),
    ]
    return [port.network_runner(network, inputs, schedule.threads) for network in networks]
