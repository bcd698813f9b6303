"""What a bundle's network measured: here, or on a device that answered with a kit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from autoprune.errors import InputError
from autoprune.export.comparing import Comparison, compare
from autoprune.export.files import ONNX, UNPRUNED_ONNX, read_check
from autoprune.export.load import ModelSource, load, unpruned_network
from autoprune.export.onnx_files import onnx_runner
from autoprune.export.schedule import Schedule
from autoprune.pruning.parts import part_of
from latency_tables.device import DeviceFingerprint, this_device
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
        measured_on: the machine's processor.
        same_device: whether this is the kind of machine the table was measured on.
        within_budget: None where there is no latency bound, or it was not judged.
    """

    pruned_s: float
    unpruned_s: float
    ratio: float
    uncertainty: float
    latency_s: float
    measured_on: str
    same_device: bool
    within_budget: bool | None


def measure_bundle(
    folder: Path, schedule: Schedule, *, rounds: int | None, model: ModelSource | None
) -> Measurement:
    """Measure on the schedule's runtime and threads, under the host's measuring lock.

    Args:
        folder: of the bundle, whose files were checked.
        schedule: of the bundle.
        rounds: as for :func:`~autoprune.export.comparing.compare`.
        model: where the runtime needs it; as for :func:`autoprune.export.load.load`.

    Raises:
        InputError: the runtime needs the model and there is none.
        VerificationError: an ONNX file does not run.
    """
    (found,) = compare(_runners(folder, schedule, model), rounds=rounds)
    here = this_device().processor
    same_device = runs_here(schedule.runtime, DeviceFingerprint.from_json(schedule.device))
    return judged(found, schedule, here, same_device=same_device, judge=same_device)


def judged(
    found: Comparison, schedule: Schedule, measured_on: str, *, same_device: bool, judge: bool
) -> Measurement:
    """A comparison as the schedule's budget sees it.

    A network that its job measured fails where it is over by more than can be resolved. One that
    was predicted is judged as its job would have done it: the whole 95% interval must fit.

    Args:
        judge: whether the budget means something on that machine.
    """
    base_s, limit_s = schedule.latency.base_s, schedule.budget.latency_s
    within = None
    if judge and limit_s is not None:
        predicted = schedule.latency.status == "predicted"
        within = (found.fits if predicted else found.may_fit)(base_s, limit_s)
    return Measurement(
        pruned_s=found.pruned_s,
        unpruned_s=found.unpruned_s,
        ratio=found.ratio.median,
        uncertainty=found.ratio.uncertainty,
        latency_s=found.latency_s(base_s),
        measured_on=measured_on,
        same_device=same_device,
        within_budget=within,
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
    parts = [part_of(network, schedule.model.part) for network in networks]
    return [port.network_runner(part, inputs, schedule.threads) for part in parts]
