from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from latency_tables import (
    METHOD,
    Entry,
    Operator,
    Table,
    TableContext,
    fit,
    interleaved_times,
    measure_operators,
    runtime,
    summarise,
    this_device,
)
from latency_tables.build import ANCHOR, MAX_ROUNDS, MIN_ROUNDS

CONV = Operator("conv", 8, 50, 8, 8, (3, 3), padding=(1, 1))
WIDTHS = (50, 100, 200)
OPERATORS = [CONV.with_channels(8, width) for width in WIDTHS]


def test_equal_signatures_are_measured_once(spinning: Any) -> None:
    entries = measure_operators(OPERATORS * 3, runtime=spinning, batch=1, threads=1)
    assert [entry.operator for entry in entries] == OPERATORS
    assert sorted(op for op in spinning.built if op != ANCHOR) == OPERATORS


def test_medians_are_the_time_of_one_call(spinning: Any) -> None:
    entries = measure_operators(OPERATORS, runtime=spinning, batch=1, threads=1)
    medians = [entry.sample.median_s for entry in entries]
    assert medians == pytest.approx([width * 1e-6 for width in WIDTHS], rel=0.15)
    assert all(entry.sample.repeats >= MIN_ROUNDS for entry in entries)


def test_operators_that_a_runtime_folds_together_are_measured_once() -> None:
    folded = Operator("conv", 4, 4, 4, 4, batch_norm=True)
    with_bias = Operator("conv", 4, 4, 4, 4, bias=True)
    entries = measure_operators(
        [folded, with_bias], runtime=runtime("onnxruntime"), batch=1, threads=1
    )
    assert [entry.operator for entry in entries] == [with_bias]


def test_an_interrupted_measurement_goes_on_where_it_stopped(spinning: Any) -> None:
    saved: dict[Operator, Entry] = {}

    class InterruptedByUserError(Exception):
        pass

    def save_two(entry: Entry) -> None:
        saved[entry.operator] = entry
        if len(saved) == 2:
            raise InterruptedByUserError

    with pytest.raises(InterruptedByUserError):
        measure_operators(OPERATORS, runtime=spinning, batch=1, threads=1, on_entry=save_two)
    spinning.built.clear()
    steps: list[tuple[int, int]] = []
    entries = measure_operators(
        OPERATORS,
        runtime=spinning,
        batch=1,
        threads=1,
        known=saved,
        on_progress=lambda done, total: steps.append((done, total)),
    )
    assert set(spinning.built) - {ANCHOR} == set(OPERATORS) - set(saved)
    assert {entry.operator: entry for entry in entries}.items() >= saved.items()
    assert [entry.operator for entry in entries] == OPERATORS
    assert steps == [(1, 1)]


def test_what_is_all_known_runs_nothing(spinning: Any) -> None:
    entries = measure_operators(OPERATORS, runtime=spinning, batch=1, threads=1)
    spinning.built.clear()
    known = {entry.operator: entry for entry in entries}
    again = measure_operators(OPERATORS, runtime=spinning, batch=1, threads=1, known=known)
    assert again == entries
    assert spinning.built == []


def test_a_machine_that_slows_down_in_the_middle_is_corrected_for(spinning: Any) -> None:
    """Two chunks, the second on a machine of half the speed: both get the first one's times."""
    operators = [CONV.with_channels(8, width) for width in range(50, 90)]

    def slow_down(entry: Entry) -> None:
        spinning.slowness = 2.0

    entries = measure_operators(operators, runtime=spinning, batch=1, threads=1, on_entry=slow_down)
    medians = np.array([entry.sample.median_s for entry in entries])
    np.testing.assert_allclose(medians, np.arange(50, 90) * 1e-6, rtol=0.15)


def test_a_load_is_reported_while_it_lasts(spinning: Any) -> None:
    seen: list[float] = []
    measure_operators(OPERATORS, runtime=spinning, batch=1, threads=1, on_load=seen.append)
    quiet = sum(slowdown > 2.0 for slowdown in seen)

    def slow_down(entry: Entry) -> None:
        spinning.slowness = 3.0

    operators = [CONV.with_channels(8, width) for width in range(50, 90)]
    measure_operators(
        operators,
        runtime=spinning,
        batch=1,
        threads=1,
        on_entry=slow_down,
        on_load=seen.append,
    )
    assert quiet == 0
    assert sum(slowdown > 2.0 for slowdown in seen) >= 6


def test_an_operator_that_never_settles_is_marked_noisy(spinning: Any) -> None:
    rng = np.random.default_rng(0)

    class Restless:
        name = "restless"
        dtype = "float32"
        version = spinning.version
        normalise = spinning.normalise
        network_runner = spinning.network_runner

        def operator_runner(self, op: Operator, batch: int, threads: int) -> Any:
            calm = spinning.operator_runner(op, batch, threads)
            if op == ANCHOR:
                return calm
            return lambda: [calm() for _ in range(rng.integers(1, 20))] and None

    (entry,) = measure_operators(OPERATORS[-1:], runtime=Restless(), batch=1, threads=1)
    assert entry.sample.noisy
    assert entry.sample.repeats == MAX_ROUNDS


def small_network(widths: list[int]) -> tuple[nn.Module, list[Operator]]:
    layers: list[nn.Module] = []
    operators = []
    for before, after in zip([3, *widths], widths, strict=False):
        conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(after), nn.ReLU()]
        operators.append(
            Operator("conv", before, after, 16, 16, (3, 3), padding=(1, 1), batch_norm=True,
                     activation="relu")
        )  # fmt: skip
    return nn.Sequential(*layers).eval(), operators


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_sums_of_operators_rank_whole_networks(name: str) -> None:
    """The purpose of it all, in small: the table tells which of two networks is faster."""
    port = runtime(name)
    rng = np.random.default_rng(0)
    networks = [
        small_network([4 * int(rng.integers(1, 5 + 2 * step)) for _ in range(5)])
        for step in range(9)
    ]
    operators = [op for _, ops in networks for op in ops]
    entries = measure_operators(operators, runtime=port, batch=1, threads=1)
    context = TableContext(name, port.version(), 1, 1, this_device())
    table = Table(context, tuple(entries), METHOD)
    x = torch.randn(1, 3, 16, 16)
    times = interleaved_times([port.network_runner(net, x, 1) for net, _ in networks], rounds=20)
    sums = [sum(table.price(op).seconds for op in ops) for _, ops in networks]
    measured = [summarise(column).median_s for column in times.T.tolist()]
    found = fit(table.hash, "small", sums, measured, 0.0)
    assert found.mape < 0.2
    assert found.spearman > 0.7


def test_the_first_call_after_the_others_is_timed_apart(spinning: Any) -> None:
    """A runner that takes twice as long when another one ran since its last call."""
    last: list[Operator] = []

    class Forgetful:
        name = "forgetful"
        version = spinning.version
        normalise = spinning.normalise
        network_runner = spinning.network_runner

        def operator_runner(self, op: Operator, batch: int, threads: int) -> Any:
            call = spinning.operator_runner(op, batch, threads)

            def run() -> None:
                call()
                if last[-1:] != [op]:
                    call()
                last.append(op)

            return run

    entries = measure_operators(OPERATORS, runtime=Forgetful(), batch=1, threads=1)
    assert [entry.sample.median_s for entry in entries] == pytest.approx(
        [width * 1e-6 for width in WIDTHS], rel=0.15
    )
    assert [entry.cold for entry in entries] == pytest.approx(
        [2 * width * 1e-6 for width in WIDTHS], rel=0.15
    )
