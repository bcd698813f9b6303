"""Use a searcher without the rest of autoprune: a cost function, a score, ask and tell.

    python examples/searcher_alone.py [NAME]

The "network" is a chain of four convolutions; the score is a made-up loss that says how much it
hurts to narrow each of them. Replace ``load`` and ``loss`` by your own.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from searchers import Done, Group, LayerTraits, Outcome, Problem, Wait, make

UNITS = np.array([16, 32, 64, 64])
PIXELS = np.array([1024, 256, 64, 64])
IMPORTANCE = np.array([1.0, 8.0, 3.0, 0.5])


def cost(widths: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Multiply-accumulates of every row of widths [N, 4]."""
    inputs = np.column_stack([np.full(len(widths), 3.0), widths[:, :-1]])
    return np.asarray((9 * PIXELS * inputs * widths).sum(axis=1), dtype=np.float64)


def loss(widths: tuple[int, ...]) -> float:
    """What a schedule would score; yours would train and validate a network."""
    lost = 1.0 - np.array(widths) / UNITS
    return float((IMPORTANCE * lost**2).sum())


def problem(trials: int) -> Problem:
    """Half of the cost of the unpruned network, and widths in steps of an eighth."""
    budget = 0.5 * cost(UNITS[None, :].astype(np.float64))[0]
    groups = []
    before = 3
    for index, units in enumerate(UNITS.tolist()):
        groups.append(
            Group(
                name=f"conv{index}",
                units=units,
                choices=tuple(range(units // 8, units + 1, units // 8)),
                unit_norms=np.random.default_rng(index).gamma(2.0, size=units),
                traits=LayerTraits("conv", before, units, 1, 3, 9 * before * units),
            )
        )
        before = units
    return Problem(tuple(groups), lambda widths: cost(widths) / budget, trials)


def main(name: str = "legr") -> None:
    """Search, and print the best schedule."""
    searcher = make(name, problem(trials=40), seed=0)
    best = (float("inf"), tuple(UNITS.tolist()))
    trials = 0
    while not isinstance(suggestion := searcher.ask(), Done):
        if isinstance(suggestion, Wait):
            raise RuntimeError("one suggestion at a time is told at once: there is none to await")
        found = loss(suggestion.widths)
        searcher.tell(suggestion.id, Outcome(found))
        trials += 1
        if suggestion.purpose == "candidate":
            best = min(best, (found, suggestion.widths))
    load = searcher.problem.loads(best[1])[0]
    print(f"{name}: {trials} trials, best loss {best[0]:.4f} with widths {best[1]}")
    print(f"cost {load:.1%} of the budget")


if __name__ == "__main__":
    main(*sys.argv[1:2])
