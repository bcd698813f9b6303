"""A network as terms of cost: operators, and their channels as functions of the widths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from autoprune.errors import ModelError
from autoprune.pruning.channels import Channels, TensorChannels
from autoprune.pruning.exporting import export
from autoprune.pruning.graph_reader import read_terms
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.terms import Term
from latency_tables.operators import Operator

MAX_TOTALS = 16
"""Widths measured of an operator that several groups feed: the totals are too many to take all."""


@dataclass(frozen=True)
class ParameterTerm:
    """A parameter's element count: coefficient * first * second."""

    coefficient: int
    first: Channels
    second: Channels


@dataclass(frozen=True)
class Network:
    """What a network computes and stores, at any legal schedule of its search space."""

    space: SearchSpace
    terms: tuple[Term, ...]
    parameters: tuple[ParameterTerm, ...]

    def operators(self, points: int | None = None) -> set[Operator]:
        """Every operator that some legal schedule needs.

        Args:
            points: at most so many widths per side, spread over the range with both ends; None
                takes all. A table of a thinned grid prices the widths between by interpolation.
        """
        return {operator for term in self.terms for operator in self._variants(term, points)}

    def _variants(self, term: Term, points: int | None) -> Iterator[Operator]:
        # Between numbers of repeats no table interpolates.
        first, second = (self._grid(s, None if term.repeats else points) for s in term.sides)
        yield from (term.between(one, other) for one in first for other in second)

    def _grid(self, channels: Channels, points: int | None) -> tuple[int, ...]:
        totals = reachable(channels, self.space)
        limit = points
        if len(channels.multiples) > 1:
            limit = min(points or MAX_TOTALS, MAX_TOTALS)
        return thinned(totals, limit)


def read_network(model: nn.Module, example_input: torch.Tensor, space: SearchSpace) -> Network:
    """Read the exported graph of the unpruned model.

    Raises:
        ModelError: the model cannot be exported, or computes something no rule prices.
    """
    program = export(model, example_input)
    sizes = TensorChannels(space)
    terms = read_terms(model, program, sizes, space)
    parameters = tuple(
        _parameter_term(name, tuple(parameter.shape), sizes)
        for name, parameter in model.named_parameters()
    )
    return Network(space, terms, parameters)


def reachable(channels: Channels, space: SearchSpace) -> tuple[int, ...]:
    """Every value ``channels`` takes at legal schedules, ascending."""
    totals = {channels.constant}
    for group, multiple in channels.multiples:
        choices = space.groups[group].choices
        totals = {total + multiple * width for total in totals for width in choices}
    return tuple(sorted(totals))


def thinned(values: Sequence[int], points: int | None) -> tuple[int, ...]:
    """At most ``points`` of ``values``, evenly spread, the first and the last among them."""
    if points is None or len(values) <= points:
        return tuple(values)
    last = len(values) - 1
    return tuple(sorted({values[round(k * last / (points - 1))] for k in range(points)}))


def _parameter_term(name: str, shape: tuple[int, ...], sizes: TensorChannels) -> ParameterTerm:
    dims = [sizes.of(name, dim, size) for dim, size in enumerate(shape)]
    coefficient = 1
    for dim in dims:
        coefficient *= 1 if dim.multiples else dim.constant
    varying = [dim for dim in dims if dim.multiples]
    if len(varying) > 2:
        raise ModelError(f"parameter {name!r}: expected at most two pruned dimensions")
    first, second = [*varying, Channels(1), Channels(1)][:2]
    return ParameterTerm(coefficient, first, second)
