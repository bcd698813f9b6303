"""How many schedules a second the cost model prices on one core, and a plain sum beside it.

The plain sum looks every operator of the network up for every schedule and adds the prices. Prices
are made up: how fast they are looked up does not depend on their values.

    python -m benchmarks.cost_model --model autoprune:resnet56 --schedules 500000
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from autoprune.evaluation.environment import prepare_training
from autoprune.models.registry import build_model, default_input_shape
from autoprune.pruning.channels import Channels
from autoprune.pruning.cost import CostModel
from autoprune.pruning.groups import find_groups
from autoprune.pruning.network import Network, reachable, read_network
from autoprune.pruning.space import SearchSpace
from latency_tables.calibration import Calibration, fit
from latency_tables.device import DeviceFingerprint
from latency_tables.operators import Operator
from latency_tables.runtimes import runtime
from latency_tables.statistics import Sample
from latency_tables.table import Entry, Table, TableContext

Rows = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.float64]


def made_up_table(operators: Iterable[Operator]) -> Table:
    """A sealed table with a price of a plausible size for every operator."""
    device = DeviceFingerprint("made up", "none", 1, "none", "none")
    normalised = {runtime("onnxruntime").normalise(operator) for operator in operators}
    entries = []
    for op in normalised:
        work = op.height * op.width * op.kernel[0] * op.kernel[1] * op.in_channels * op.out_channels
        seconds = 2e-6 + 1e-11 * work / op.groups
        entries.append(Entry(op, Sample(seconds, 0.0, (seconds,) * 5, repeats=12, noisy=False)))
    return Table(TableContext("onnxruntime", "none", 1, 1, device), tuple(entries))


def random_rows(space: SearchSpace, count: int) -> Rows:
    """[count, G] random legal schedules."""
    rng = np.random.default_rng(0)
    return np.stack([rng.choice(group.choices, count) for group in space.groups], axis=1)


def plain_sum(network: Network, space: SearchSpace, table: Table) -> Callable[[Rows], Seconds]:
    """The sum over operators, one vectorised look-up each."""

    def counts(side: Channels, rows: Rows) -> Rows:
        total: Rows = np.full(len(rows), side.constant, dtype=np.int64)
        for group, multiple in side.multiples:
            total += multiple * rows[:, group]
        return total

    grids = []
    for term in network.terms:
        ins, outs = (
            np.array(reachable(side, space), dtype=np.int64) for side in (term.inputs, term.outputs)
        )
        if term.equal:
            grids.append((term, ins, None, table.prices_equal(term.operator, ins)[0]))
        else:
            grids.append((term, ins, outs, table.prices(term.operator, ins, outs)[0]))

    def total(rows: Rows) -> Seconds:
        summed: Seconds = np.zeros(len(rows))
        for term, ins, outs, prices in grids:
            row = np.searchsorted(ins, counts(term.inputs, rows))
            if outs is None:
                summed += prices[row]
            else:
                summed += prices[row, np.searchsorted(outs, counts(term.outputs, rows))]
        return summed

    return total


def per_second(act: Callable[[Rows], Seconds], rows: Rows, repeats: int) -> list[float]:
    """Schedules a second in each repeat, after one that does not count."""
    act(rows)
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        act(rows)
        rates.append(len(rows) / (time.perf_counter() - start))
    return rates


def calibrations(table: Table, sums: Seconds) -> dict[str, Calibration]:
    """Laws of both kinds: all weights near, which takes one sum, and not, which takes three."""
    near = fit(table.hash, "made up", sums[:12], 0.9 * sums[:12], repeat_noise=0.0)
    small = replace(near.law, seconds_per_byte=1e-11, cache_bytes=float(1 << 20))
    return {"near": near, "cached": replace(near, law=small)}


def measure(
    model_name: str, divisor: int | None, schedules: int, repeats: int
) -> dict[str, object]:
    """Rates of both sums, which must agree."""
    shape = default_input_shape(model_name) or (3, 224, 224)
    example = torch.zeros(1, *shape)
    model = build_model(model_name, classes=10, input_shape=shape).eval()
    space = find_groups(model, example, divisor=divisor)
    network = read_network(model, example, space)
    table = made_up_table(network.operators())
    rows = random_rows(space, schedules)
    plain = plain_sum(network, space, table)
    sums = CostModel(space, network, table).sums(rows)
    apart = float(np.max(np.abs(plain(rows[:1000]) / sums[:1000] - 1.0)))
    rates = {}
    for name, calibration in calibrations(table, sums).items():
        cost = CostModel(space, network, table, calibration)
        rates[name] = statistics.median(per_second(cost.latency, rows, repeats))
    plain_rate = statistics.median(per_second(plain, rows[: max(1, schedules // 10)], repeats))
    return {
        "model": model_name,
        "groups": len(space.groups),
        "choices": sum(len(group.choices) for group in space.groups),
        "operators": len(network.terms),
        "schedules": schedules,
        "threads": 1,
        "per_second": rates["near"],
        "per_second_beyond_cache": rates["cached"],
        "plain_per_second": plain_rate,
        "times_faster": rates["near"] / plain_rate,
        "largest_difference": apart,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="autoprune:resnet56")
    parser.add_argument("--divisor", type=int, help="as a search takes it")
    parser.add_argument("--schedules", type=int, default=500_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    prepare_training(1)
    found = measure(options.model, options.divisor, options.schedules, options.repeats)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        print(
            f"{found['model']}, {found['groups']} groups with {found['choices']} widths, "
            f"{found['operators']} operators, one thread, medians of {options.repeats} runs of "
            f"{options.schedules:,} schedules: {found['per_second']:,.0f} a second where the "
            f"weights stay near, {found['per_second_beyond_cache']:,.0f} where a cache is too "
            f"small for them; the plain sum over operators {found['plain_per_second']:,.0f}"
        )


if __name__ == "__main__":
    main()
