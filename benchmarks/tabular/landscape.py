"""A network as arrays: its latency table, its sensitivities, and a loss fitted on its evaluations.

Losses are modelled as logarithms. Every choice of every group has a value of its own, which never
falls while the group is narrowed, and neighbouring groups have a product term; so the loss is a sum
over groups and pairs inside a monotone function, and its minimum under the table is found by the
integer program, with proof.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from searchers import Group, LayerTraits, Outcome, Problem, Suggestion
from searchers.solver.program import minimise
from searchers.solver.tables import Pair, TableSum, places_of
from searchers.uniform import uniform_widths

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
FOLDER = Path(__file__).parent / "networks"
NODES = 20_000


@dataclass(frozen=True)
class Landscape:
    """What a search on one network would meet, without the network.

    Args:
        groups: in network order, with norms and traits.
        latency: seconds, as the calibrated table predicts them.
        log_loss: of a schedule after a trial's finetune.
        probes: logarithm of the loss of each group alone, right after masking; singles alone count.
        facts: where it comes from and how well it was fitted.
    """

    name: str
    groups: tuple[Group, ...]
    latency: TableSum
    log_loss: TableSum
    probes: TableSum
    facts: dict[str, Any]

    @cached_property
    def full_s(self) -> float:
        """Latency of the unpruned network."""
        full = np.array([group.units for group in self.groups])
        return float(self.latency(places_of(self.groups, full))[0])

    def problem(self, budget: float, trials: int) -> Problem:
        """To be searched under a fraction of the unpruned latency."""
        bound = budget * self.full_s

        def load(widths: FloatArray) -> FloatArray:
            return self.latency(places_of(self.groups, widths.astype(np.int64))) / bound

        return Problem(self.groups, load, trials)

    def score(self, suggestion: Suggestion) -> Outcome:
        """The loss of a trial, or of a probe."""
        table = self.probes if suggestion.purpose == "probe" else self.log_loss
        places = places_of(self.groups, np.array(suggestion.widths))
        loss = float(np.exp(table(places)[0]))
        return Outcome(loss, float(np.exp(-loss)))

    def optimum(self, budget: float) -> tuple[float, float]:
        """The least loss within a budget, and the fraction it may be off by."""
        bound = _scaled(self.latency, 1.0 / (budget * self.full_s))
        found = minimise(self.log_loss, [bound], nodes=NODES, gap=1e-6)
        if found is None:
            raise SystemExit(f"{self.name}: no schedule within {budget:.0%}")
        return float(np.exp(found.value)), found.gap * abs(found.value)

    def uniform(self, budget: float) -> float:
        """The loss of the uniform schedule."""
        widths = uniform_widths(self.problem(budget, 1))
        return float(np.exp(self.log_loss(places_of(self.groups, widths))[0]))


def load_landscape(name: str) -> Landscape:
    """One of :data:`FOLDER`."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as arrays:
        return _unpacked(name, dict(arrays))


def save_landscape(landscape: Landscape) -> Path:
    """Write the arrays; the inverse of :func:`load_landscape`."""
    path = FOLDER / f"{landscape.name}.npz"
    FOLDER.mkdir(exist_ok=True)
    head = {
        "facts": landscape.facts,
        "groups": [
            [g.name, g.units, list(g.choices), list(vars(g.traits).values())]  # type: ignore[arg-type]
            for g in landscape.groups
        ],
    }
    arrays: dict[str, Any] = {"head": np.array(json.dumps(head))}
    for index, group in enumerate(landscape.groups):
        arrays[f"norms.{index}"] = np.asarray(group.unit_norms, dtype=np.float32)
    for kind in ("latency", "log_loss", "probes"):
        arrays.update(_packed(kind, getattr(landscape, kind)))
    np.savez_compressed(path, allow_pickle=False, **arrays)
    return path


def _unpacked(name: str, arrays: dict[str, npt.NDArray[Any]]) -> Landscape:
    head = json.loads(str(arrays["head"]))
    groups = tuple(
        Group(
            group,
            units,
            tuple(choices),
            arrays[f"norms.{index}"].astype(np.float64),
            LayerTraits(*traits),
        )
        for index, (group, units, choices, traits) in enumerate(head["groups"])
    )
    sums = (_sum_of(kind, arrays, len(groups)) for kind in ("latency", "log_loss", "probes"))
    latency, log_loss, probes = sums
    return Landscape(name, groups, latency, log_loss, probes, head["facts"])


def _packed(kind: str, table: TableSum) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {f"{kind}.constant": np.array(table.constant)}
    for index, values in enumerate(table.singles):
        arrays[f"{kind}.{index}"] = values
    for (a, b), values in table.pairs.items():
        arrays[f"{kind}.{a}.{b}"] = values
    return arrays


def _sum_of(kind: str, arrays: dict[str, npt.NDArray[Any]], groups: int) -> TableSum:
    pairs: dict[Pair, FloatArray] = {}
    for key in arrays:
        parts = key.split(".")
        if parts[0] == kind and len(parts) == 3:
            pairs[int(parts[1]), int(parts[2])] = arrays[key]
    singles = tuple(arrays[f"{kind}.{index}"] for index in range(groups))
    return TableSum(float(arrays[f"{kind}.constant"]), singles, pairs)


def _scaled(table: TableSum, factor: float) -> TableSum:
    return TableSum(
        table.constant * factor,
        tuple(values * factor for values in table.singles),
        {pair: values * factor for pair, values in table.pairs.items()},
    )
