"""Use searchers without the rest of autoprune: tables of latencies, a score, ask and tell.

    python examples/searcher_alone.py [NAME...]

The "network" is a chain of five convolutions with invented latencies; the score is an invented loss
that says how much it hurts to narrow each of them. Replace both by your own. Without names every
searcher there is searches, so that their results stand side by side.
"""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from searchers import (
    Done,
    LayerTraits,
    Outcome,
    Problem,
    Searcher,
    Wait,
    make,
    problem_from_arrays,
    searcher_names,
)

UNITS = {"conv1": 16, "conv2": 32, "conv3": 64, "conv4": 64, "conv5": 128}
PIXELS = {"conv1": 1024, "conv2": 256, "conv3": 256, "conv4": 64, "conv5": 64}
IMPORTANCE = np.array([0.1, 0.8, 0.3, 0.05, 0.2])
SECONDS_PER_MAC = 2e-10


def seconds(layer: str, inputs: npt.ArrayLike, outputs: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """A layer's latencies, [inputs, outputs]: a staircase, as kernels take channels in blocks."""
    blocks_in = np.ceil(np.asarray(inputs) / 4) * 4
    blocks_out = np.ceil(np.asarray(outputs) / 16) * 16
    macs = 9 * PIXELS[layer] * np.multiply.outer(blocks_in, blocks_out)
    return np.asarray(1e-6 + SECONDS_PER_MAC * macs, dtype=np.float64)


def example_problem(trials: int) -> Problem:
    """Half of the unpruned latency, and widths in steps of an eighth."""
    choices = {name: range(units // 8, units + 1, units // 8) for name, units in UNITS.items()}
    first, *_, last = UNITS
    latency: dict[tuple[str, ...], npt.ArrayLike] = {
        (first,): seconds(first, 3, choices[first]),
        (last,): 1e-8 * np.array(choices[last]),  # the classifier
        (): 5e-6,  # whatever is never pruned
    }
    traits = {first: LayerTraits("conv", 3, UNITS[first], 1, 3, 27 * UNITS[first])}
    for before, layer in pairwise(UNITS):
        latency[before, layer] = seconds(layer, choices[before], choices[layer])
        weights = 9 * UNITS[before] * UNITS[layer]
        traits[layer] = LayerTraits("conv", UNITS[before], UNITS[layer], 1, 3, weights)
    rng = np.random.default_rng(0)
    return problem_from_arrays(
        choices=choices,
        latency=latency,
        budget="50%",
        trials=trials,
        unit_norms={name: rng.gamma(2.0, size=units) for name, units in UNITS.items()},  # for LeGR
        traits=traits,  # for AMC
    )


def loss_of(widths: tuple[int, ...]) -> float:
    """What a schedule would score; yours would train and validate a network."""
    lost = 1.0 - np.array(widths) / np.array(list(UNITS.values()))
    return float((IMPORTANCE * lost**2).sum())


def search(searcher: Searcher) -> tuple[int, int, float, tuple[int, ...]]:
    """Ask and tell until Done; trials, probes, and loss and widths of the best candidate."""
    counted = probes = 0
    best = (float("inf"), tuple(UNITS.values()))
    while not isinstance(suggestion := searcher.ask(), Done):
        if isinstance(suggestion, Wait):
            raise RuntimeError("one suggestion at a time is told at once: there is none to await")
        loss = loss_of(suggestion.widths)
        searcher.tell(suggestion.id, Outcome(loss))
        if suggestion.purpose == "probe":  # a measurement of the searcher's own
            probes += 1
            continue
        counted += 1
        if suggestion.purpose == "candidate":  # a step is on the way, and over the budget
            best = min(best, (loss, suggestion.widths))
    return counted, probes, *best


def main(names: list[str]) -> None:
    """Search with every searcher named, and print what each found."""
    names = names or searcher_names()
    longest = max(map(len, names))
    problem = example_problem(trials=40)
    for name in names:
        trials, probes, loss, widths = search(make(name, problem, seed=0))
        load = problem.loads(widths)[0]
        kept = " ".join(f"{width:>3}" for width in widths)
        print(
            f"{name + ':':<{longest + 1}} {trials:>2} trials, best loss {loss:.4f}, "
            f"load {load:.3f}, widths {kept}" + (f", after {probes} probes" if probes else "")
        )


if __name__ == "__main__":
    main(sys.argv[1:])
