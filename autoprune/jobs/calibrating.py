"""Whole networks of random schedules, measured against what a table's sums say of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from autoprune.jobs.context import Progress
from autoprune.jobs.subject import Subject
from autoprune.pruning.cost import CostModel
from autoprune.pruning.criteria import choose_units
from autoprune.pruning.space import PruningGroup, SearchSpace
from autoprune.pruning.staircases import drop_dominated
from autoprune.pruning.surgery import prune
from latency_tables.calibration import Calibration, fit
from latency_tables.lock import measuring_lock
from latency_tables.measuring import interleaved_times
from latency_tables.runtimes import runtime
from latency_tables.table import Table

CALIBRATION_NETWORKS = 12
CHECK_NETWORKS = 30
ROUNDS = 25


def calibrate(
    subject: Subject, table: Table, progress: Progress, networks: int = CALIBRATION_NETWORKS
) -> Calibration:
    """Measure whole networks of random schedules against what the table's sums say of them.

    The first network is the unpruned one: its median is the job's base latency. The others have
    widths that pay on this table, as those of a search do. Every network runs twice in each round,
    as if it were two, so that noise can be told from error.

    Args:
        networks: how many are measured.
    """
    cost = CostModel(subject.space, subject.network, table)
    schedules = spread_schedules(drop_dominated(subject.space, [cost]).space, networks)
    port = runtime(table.context.runtime)
    progress("calibrating", {"networks": len(schedules)})
    runners = [
        port.network_runner(sliced(subject, row), subject.example_input, table.context.threads)
        for row in schedules
    ]
    with measuring_lock(on_wait=lambda: progress("waiting", {"for": "another measurement"})):
        times = interleaved_times([*runners, *runners], rounds=ROUNDS)
    first, second = np.median(times, axis=0).reshape(2, networks)
    both = np.median(np.concatenate([times[:, :networks], times[:, networks:]]), axis=0)
    return fit(
        table.hash,
        subject.structure,
        cost.network_sums(schedules),
        both,
        repeat_noise=float(np.mean(np.abs(first / second - 1.0))),
    )


def sliced(subject: Subject, widths: Sequence[int] | np.ndarray) -> torch.nn.Module:
    """What is measured of a schedule's network, not finetuned: latency depends on widths alone."""
    named = subject.space.named([int(width) for width in widths])
    state = subject.model.state_dict()
    kept = choose_units("l2", state, subject.space, named)
    return subject.measured(prune(subject.model, subject.space, kept))


def spread_schedules(space: SearchSpace, count: int) -> np.ndarray:
    """[count, G]: the unpruned network first, then random widths around falling keep ratios."""
    rng = np.random.default_rng(0)
    rows = [[group.units for group in space.groups]]
    for level in np.linspace(0.9, 0.15, count - 1):
        ratios = np.clip(rng.normal(level, 0.15, len(space.groups)), 0.0, 1.0)
        rows.append([_nearest(g, ratio) for g, ratio in zip(space.groups, ratios, strict=True)])
    return np.array(rows, dtype=np.int64)


def _nearest(group: PruningGroup, ratio: float) -> int:
    return min(group.choices, key=lambda width: abs(width - ratio * group.units))
