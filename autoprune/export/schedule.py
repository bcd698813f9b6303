"""What ``schedule.json`` holds; DESIGN words, seconds, channels and fractions throughout."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from autoprune.export.figure_entries import TaskFigure, UndoneFinetune
from autoprune.export.latency_entries import (
    Count,
    Entry,
    Finalist,
    Fraction,
    Latency,
    Learned,
    Seconds,
)

FORMAT: Final = "autoprune.schedule"
VERSION: Final = 2

BeforeAfter = tuple[Count, Count]
"""Of the unpruned network, and of the pruned one."""


class ModelReference(Entry):
    """Where the unpruned network comes from.

    Args:
        name: as ``--model`` takes it; None when the network was given in Python.
        classes: outputs of the classifier; 0 where the data has no classes.
        input_shape: of one image, without the batch.
        part: submodule that latency, costs and the ONNX files are of; empty for all of it.
    """

    name: str | None
    classes: Annotated[int, Field(ge=0)]
    input_shape: tuple[Count, ...]
    # Left out where it is empty: bundles of before the field keep their hash.
    part: Annotated[str, Field(exclude_if=lambda name: not name)] = ""


class Layer(Entry):
    """Channels of one layer, before and after.

    Args:
        type: ``conv``, ``depthwise``, ``linear``, or another; one
            that says ``transpose`` has its inputs first in the weight.
        keep_ratio: output channels after / before.
    """

    type: str
    in_channels: BeforeAfter
    out_channels: BeforeAfter
    keep_ratio: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _ratio_is_of_the_outputs(self) -> Self:
        before, after = self.out_channels
        if abs(self.keep_ratio - after / before) > 1e-6:
            raise ValueError(
                f"keep_ratio {self.keep_ratio} is not that of out_channels, {after}/{before}"
            )
        return self


class KeptGroup(Entry):
    """Units kept in one group, numbered as in the unpruned network, ascending."""

    units: Count
    width: Count
    kept: tuple[Annotated[int, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _kept_is_a_selection(self) -> Self:
        if len(self.kept) != self.width:
            raise ValueError(f"kept lists {len(self.kept)} units, width says {self.width}")
        if any(first >= second for first, second in pairwise(self.kept)):
            raise ValueError("kept must ascend without repeats")
        if self.kept[-1] >= self.units:
            raise ValueError(f"kept names unit {self.kept[-1]} of a group of {self.units}")
        return self


class Hashes(Entry):
    """Sha256, in hex, of what the schedule came from and of what travels with it.

    Args:
        base_weights, data, table, calibration: None where there was none.
        files: file name -> hash, for every other file of the bundle; set when it is written.
        schedule: of the schedule itself with this field empty, as canonical JSON; likewise.
    """

    base_weights: str | None
    data: str | None
    table: str | None
    calibration: str | None
    files: dict[str, str] = Field(default_factory=dict)
    schedule: str = ""


class Budget(Entry):
    """The upper bounds the schedule was searched under.

    Args:
        given: each bound as the user wrote it.
        latency_s, macs, params: the same in absolute terms; None where not bounded.
        latency_fraction: of the base latency, where the latency bound was relative to it.
    """

    given: Annotated[tuple[str, ...], Field(min_length=1)]
    latency_s: Seconds | None = None
    latency_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    macs: Annotated[float, Field(gt=0)] | None = None
    params: Annotated[float, Field(gt=0)] | None = None


class DeviceLatency(Entry):
    """Latency on one of several devices that the budget bounds.

    Args:
        name: of the device's table.
        device: fingerprint of the device that the table was measured on.
        runtime, batch, threads: that the latencies are for.
        limit_s: upper bound.
        base_s: measured median of the unpruned network, which the bound refers to.
        predicted_s, measured_s: of the pruned network; measured on one device at most.
    """

    name: str
    device: dict[str, str | int]
    runtime: str
    batch: Count
    threads: Count
    limit_s: Seconds
    base_s: Seconds
    predicted_s: Seconds
    measured_s: Seconds | None = None
    status: Literal["measured", "predicted"]

    def is_primary_of(self, schedule: Schedule) -> bool:
        """Whether finalists are measured for it: the schedule's own latencies are of it."""
        same = (self.device, self.runtime, self.threads, self.base_s)
        return same == (
            schedule.device,
            schedule.runtime,
            schedule.threads,
            schedule.latency.base_s,
        )


class Costs(Entry):
    """Multiply-adds and parameters, before and after."""

    macs: BeforeAfter
    params: BeforeAfter


class AccuracyOfSplit(Entry):
    """Fraction of images classified correctly; None where it was not evaluated.

    Args:
        before: of the unpruned network.
        after_search: with the weights the search scored, before the final finetune.
        after: of the network in the bundle.
    """

    before: Fraction | None
    after_search: Fraction | None
    after: Fraction | None


class Accuracy(Entry):
    """By split; None where the data has none."""

    validation: AccuracyOfSplit | None
    test: AccuracyOfSplit | None


class MetricReference(Entry):
    """What trials were ranked by."""

    name: str
    direction: Literal["minimize", "maximize"]


class Ranking(Entry):
    """How well the scores of trials rank, compared with the same schedules' longer scores.

    Args:
        schedules: racers and controls that have both scores.
        spearman: rank correlation over them; None where they are too few, or all tie.
    """

    schedules: Annotated[int, Field(ge=0)]
    spearman: Annotated[float, Field(ge=-1, le=1)] | None

    @property
    def says(self) -> str:
        """The same in words."""
        if self.spearman is None:
            return f"rank correlation not known from {self.schedules} schedules"
        return f"rank correlation {self.spearman:.2f} over {self.schedules} schedules"


class Provenance(Entry):
    """How the schedule was found, and how to find it again.

    Args:
        trials: how many were run.
        trial: index of the one this schedule comes from; a rung of the ladder is wider or narrower
            than that trial's.
        digest: of the job; equal digests mean equal searches.
        environment: fingerprint that scores are exact for.
        created: ISO 8601, UTC.
        command: repeats the search.
    """

    job: str
    searcher: str
    seed: int
    trials: Annotated[int, Field(ge=0)]
    trial: int | None = None
    digest: str
    autoprune_version: str
    environment: str
    created: str
    command: str


class Schedule(Entry):
    """Everything ``schedule.json`` says.

    Args:
        layers: every convolution and linear layer, in network order, by module name.
        groups: every searched group, in network order, by the group's name.
        device: fingerprint of the device that the table was measured on.
        runtime, batch, threads: that the latencies are for.
        devices: where several are bounded by name, each of them; the fields above are of the one
            that finalists are measured for.
        accuracy: of a classification; a task has a ``figure``.
        score: by ``metric``; None when the winner has none.
        finalists: the race, the ladder and what measuring asked for, best score first; empty in
            version 1, as ``learned`` is.
        ranking: what the race says of the scores of trials; None in bundles of before the field.
        learned: what measuring them taught the calibration; None where that was nothing.
        undone_finetune: the final finetune, where it made the network worse; None where it did not.
    """

    format: Literal["autoprune.schedule"] = FORMAT
    version: Literal[1, 2] = VERSION
    model: ModelReference
    layers: dict[str, Layer]
    groups: dict[str, KeptGroup]
    budget: Budget
    device: dict[str, str | int]
    runtime: str
    batch: Count
    threads: Count
    latency: Latency
    # Left out where there is one device: bundles of before the field keep their hash.
    devices: Annotated[tuple[DeviceLatency, ...], Field(exclude_if=lambda rows: not rows)] = ()
    costs: Costs
    accuracy: Accuracy
    # Left out where there is none, as ``devices`` is.
    figure: Annotated[TaskFigure | None, Field(exclude_if=lambda found: found is None)] = None
    score: float | None
    metric: MetricReference
    finalists: tuple[Finalist, ...] = ()
    # Left out where there is none, as ``devices`` is.
    ranking: Annotated[Ranking | None, Field(exclude_if=lambda found: found is None)] = None
    learned: Learned | None = None
    # Left out where there is none, as ``devices`` is.
    undone_finetune: Annotated[
        UndoneFinetune | None, Field(exclude_if=lambda found: found is None)
    ] = None
    provenance: Provenance
    hashes: Hashes
