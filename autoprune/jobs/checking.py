"""Whether a network can be searched, told in under a minute: nothing is stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autoprune.data.targets import describe
from autoprune.errors import ModelError
from autoprune.evaluation.contract import EvaluationRequest, Fidelity
from autoprune.evaluation.environment import training_device
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.metrics import metric_of
from autoprune.jobs.calibrating import sliced
from autoprune.jobs.context import Progress
from autoprune.jobs.exporting import check_exportable
from autoprune.jobs.subject import Subject
from autoprune.pruning.space import SearchSpace
from autoprune.spec import JobSpec
from autoprune.trials.records import Json
from latency_tables.lock import measuring_lock
from latency_tables.measuring import interleaved_times
from latency_tables.runtimes import runtime

ROUNDS = 15
BLOCKS = (1, 8, 16)
"""Channels that a runtime takes at a time: fewer can be slower than a whole block."""
ONE_STEP = Fidelity(
    steps=1, reconstruction_batches=1, recalibration_batches=1, validation_images=256
)


def check_network(spec: JobSpec, subject: Subject, progress: Progress) -> Json:
    """What ``autoprune check --json`` prints.

    One candidate, the narrowest, is trained for a step and scored as a trial is. It is run beside
    the unpruned network in the runtime that latencies are of, and so are the narrowest ones of
    whole blocks of channels; the fastest of them all is the floor.

    Raises:
        ModelError: a layer that the runtime does not take, or a candidate that cannot be trained.
    """
    check_exportable(subject, runtime(spec.runtime), spec.threads)
    progress("trying", {"what": "one training step of the narrowest network"})
    step = _one_step(spec, subject)
    progress("trying", {"what": "the latency of the unpruned and of narrow networks"})
    base_s, floor_s = _latencies(spec, subject)
    return {
        "ok": True,
        "model": spec.model,
        "data": _described(subject),
        "groups": [
            {
                "name": group.name,
                "units": group.units,
                "choices": list(group.choices),
                "layers": list(group.producers),
                "rules": [rule.layers for rule in spec.rules if rule.matches(group.producers)],
            }
            for group in subject.space.groups
        ],
        "left_out": [
            {"group": left.name, "reason": left.reason} for left in subject.space.left_out
        ],
        "base_latency_s": base_s,
        "floor_latency_s": floor_s,
        "prunable_latency_share": 1.0 - floor_s / base_s,
        "training_step": step,
    }


def _one_step(spec: JobSpec, subject: Subject) -> Json:
    metric = metric_of(spec.metric, subject.task)
    evaluator = NetworkEvaluator(
        subject.model,
        subject.space,
        subject.data,
        criterion=spec.criterion,
        metric=metric,
        seed=spec.seed,
        device=training_device(spec.train_device),
    )
    fidelity = replace(ONE_STEP, batch_size=spec.fidelity.batch_size)
    narrowest = subject.space.named(subject.space.narrowest)
    result = evaluator.evaluate(EvaluationRequest(narrowest, fidelity))
    if result.score is None:
        raise ModelError(
            f"the narrowest network cannot be trained and scored: {result.error}. Look at what the "
            "model does in training mode, and at the loss's inputs"
        )
    return {"seconds": result.seconds, "score": result.score, "metric": metric.name}


def _latencies(spec: JobSpec, subject: Subject) -> tuple[float, float]:
    """Of the unpruned network and of the fastest one that was tried, in seconds."""
    narrow = [sliced(subject, widths) for widths in narrow_schedules(subject.space)]
    port = runtime(spec.runtime)
    runners = [
        port.network_runner(network.eval(), subject.example_input, spec.threads)
        for network in (subject.measured(), *narrow)
    ]
    with measuring_lock():
        found = np.median(interleaved_times(runners, rounds=ROUNDS), axis=0).tolist()
    return found[0], min(found)


def narrow_schedules(space: SearchSpace) -> list[tuple[int, ...]]:
    """The narrowest schedule, and the narrowest of whole blocks where that is another."""
    schedules = [
        tuple(
            next((choice for choice in group.choices if choice % block == 0), group.choices[-1])
            for group in space.groups
        )
        for block in BLOCKS
    ]
    return list(dict.fromkeys(schedules))


def _described(subject: Subject) -> Json:
    data = subject.data
    sizes = {"train": len(data.train), "val": len(data.val)}
    if data.test is not None:
        sizes["test"] = len(data.test)
    task = (
        {}
        if data.task is None
        else {"task": data.task.name, "targets": describe(data.train.targets)}
    )
    return {
        "name": data.name,
        **task,
        "classes": len(data.classes),
        "input_shape": list(data.input_shape),
        "images": sizes,
    }
