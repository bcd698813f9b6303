"""The unpruned network of a job: what is refused of it, and what the job keeps of it."""

from __future__ import annotations

import math

import numpy as np

from autoprune.budget import latency_key
from autoprune.errors import InputError, TaskError
from autoprune.evaluation.base import leakage_warning, score_base
from autoprune.evaluation.both_modes import compare_modes
from autoprune.evaluation.environment import training_device
from autoprune.evaluation.masked_training import compare_masked
from autoprune.evaluation.metrics import metric_of
from autoprune.evaluation.placement import placed
from autoprune.evaluation.ranking import Rankings
from autoprune.evaluation.trainability import check_trainable
from autoprune.jobs.context import Progress
from autoprune.jobs.planning import Plan, check_counts
from autoprune.jobs.subject import Subject
from autoprune.pruning.layers import describe_layers
from autoprune.spec import JobSpec
from autoprune.trials.records import Json
from autoprune.user_code import raised


def check_subject(spec: JobSpec, subject: Subject, progress: Progress) -> Json:
    """What the unpruned network scores; refuses what cannot be searched, before measuring."""
    check_counts(spec, subject)
    floor = subject.space.named(subject.space.narrowest)
    device = training_device(spec.train_device)
    model, space, data = subject.model, subject.space, subject.data
    rankings = Rankings(model, space, data, spec.criterion, spec.seed, device)
    kept = rankings.base().choose(floor)
    check_trainable(model, space, data, kept, device)
    told = compare_modes(model, data, device)
    told = compare_masked(model, space, data, kept, device) or told
    if told:
        progress("warning", {"text": told})
    model = placed(model, device)
    metric = metric_of(spec.metric, subject.task)
    try:
        scored = score_base(model, data, metric, limit=spec.fidelity.validation_images)
    except TaskError:
        raise  # says which of its functions, and of what
    except Exception as error:  # the metric may be the user's own function
        raise InputError(
            f"the unpruned network cannot be scored by metric {metric.name!r}: {raised(error)}"
        ) from error
    own = scored.get("figure", {"name": "", "value": 0.0})
    numbers = (scored["score"], scored["loss"], scored["accuracy"] or 0.0, own["value"])
    if not all(math.isfinite(value) for value in numbers):
        said = f", {own['name']} {own['value']}" if own["name"] else ""
        of = f" by {subject.task.says}" if subject.task else ""
        raise InputError(
            f"the unpruned network's score{of} is {scored['score']} (loss {scored['loss']}{said}): "
            "expected finite numbers; check its weights and how the images are normalised"
        )
    warning = leakage_warning(model, data)
    if warning:
        progress("warning", {"text": warning})
    return scored


def describe_base(plan: Plan, scored: Json) -> Json:
    """Its score, latency and size, the shape of its layers, and its latency by several tables."""
    subject = plan.subject
    full = np.array([[g.units for g in subject.space.groups]], dtype=np.float64)
    return {
        **scored,
        "measured_latency_s": plan.priced.base_s,
        "predicted_latency_s": float(plan.cost.latency(full)[0]),
        "macs": int(plan.cost.macs(full)[0]),
        "params": int(plan.cost.params(full)[0]),
        "margin": plan.margin,
        **_several(plan),
        "layers": describe_layers(subject.model, subject.space),
        "layer_shares": plan.cost.layer_shares(full[0]),
    }


def _several(plan: Plan) -> Json:
    """Where there are several tables: which one counts here, and what each one's latency is of."""
    if "" in plan.tables:
        return {}
    devices = []
    for name, priced in plan.tables.items():
        context = priced.table.context
        devices.append(
            {
                "name": name,
                "device": context.device.to_json(),
                "runtime": context.runtime,
                "batch": context.batch,
                "threads": context.threads,
                "limit_s": plan.limits[latency_key(name)],
                "base_s": priced.base_s,
            }
        )
    return {"primary": plan.primary, "devices": devices}
