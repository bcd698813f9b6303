"""Sensitivity probes: each group alone at a few widths, and the curves they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from searchers.contract import FloatArray, Group
from searchers.solver.surrogate import Curves

Probe = tuple[int, int]
"""(group, width); the unpruned network is (-1, 0)."""
UNPRUNED: Probe = (-1, 0)


def planned(groups: Sequence[Group], count: int) -> list[Probe]:
    """The unpruned network, then every group at its narrowest width and others evenly below full.

    Args:
        groups: G groups.
        count: widths of each group; groups with fewer choices get fewer.
    """
    if not count:
        return []
    probes = [UNPRUNED]
    for index, group in enumerate(groups):
        last = len(group.choices) - 1
        at = {round(last * step / count) for step in range(count)} - {last}
        probes.extend((index, group.choices[place]) for place in sorted(at))
    return probes


def sensitivities(groups: Sequence[Group], losses: Mapping[Probe, float]) -> Curves | None:
    """Damage of every choice by its probes: how far the loss rose, as a logarithm where it can be.

    Between the probed widths damage is interpolated over the logarithm of the width; it never
    falls while a group is narrowed. None where the unpruned network or a whole group has no score.

    Args:
        groups: G groups.
        losses: of the probes that were scored.
    """
    base = losses.get(UNPRUNED)
    if base is None:
        return None
    positive = min(losses.values()) > 0.0
    curves = []
    for index, group in enumerate(groups):
        known = {width: loss for (of, width), loss in losses.items() if of == index}
        if not known and len(group.choices) > 1:
            return None
        rises = {w: np.log(x / base) if positive else x - base for w, x in known.items()}
        curves.append(_curve(group, rises))
    return tuple(curves)


def shrinkage(groups: Sequence[Group]) -> Curves:
    """The logarithm of how many times narrower a group is: capacity lost, whatever is in it."""
    return tuple(-np.log(np.asarray(group.choices) / group.units) for group in groups)


def norm_lost(groups: Sequence[Group]) -> Curves | None:
    """The fraction of its squared norm that a group loses; None where norms are missing."""
    curves = []
    for group in groups:
        if group.unit_norms is None:
            return None
        gone = np.concatenate([[0.0], np.cumsum(np.sort(group.unit_norms))])
        total = max(float(gone[-1]), 1e-300)
        curves.append(gone[group.units - np.asarray(group.choices)] / total)
    return tuple(curves)


def _curve(group: Group, rises: Mapping[int, float]) -> FloatArray:
    widths = [*sorted(rises), group.units]
    damage = np.array([*(max(rises[width], 0.0) for width in sorted(rises)), 0.0])
    damage = np.maximum.accumulate(damage[::-1])[::-1]
    curve = np.interp(np.log(group.choices), np.log(widths), damage)
    return np.asarray(curve, dtype=np.float64)
