"""One operator of a network, as a term of its cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from autoprune.pruning.channels import Channels
from latency_tables.operators import Operator

Trait = Literal["height", "copies"]

ONE = Channels(1)
"""The second side of what lies between one channel count and nothing else."""


@dataclass(frozen=True)
class Repeats:
    """What an operator does once for each of a group's units, whose number is no channel count.

    Args:
        units: how often, as for the heads of an attention.
        trait: the field of the operator that grows with them.
        each: its value for one unit.
        single: variant for a single unit, beside which a constant can be a number, or as large as
            what is computed.
    """

    units: Channels
    trait: Trait
    each: int
    single: str | None

    def of(self, operator: Operator, units: int) -> Operator:
        """The operator done for so many units."""
        size = self.each * units
        variant = self.single if units == 1 else operator.variant
        if self.trait == "height":
            return replace(operator, height=size, variant=variant)
        return replace(operator, copies=size, variant=variant)

    def share(self, operator: Operator) -> float:
        """One unit's fraction of the operator."""
        return self.each / (operator.height if self.trait == "height" else operator.copies)


@dataclass(frozen=True)
class Term:
    """One operator of the network.

    Args:
        operator: at full width.
        inputs, outputs: its channels.
        layer: module name, for messages.
        macs: multiply-adds per pair of input and output channel, or per channel where ``equal``.
        repeats: what is done for each of a group's units; its channels are then fixed.
    """

    operator: Operator
    inputs: Channels
    outputs: Channels
    layer: str
    macs: float = 0.0
    repeats: Repeats | None = None

    @property
    def equal(self) -> bool:
        """Whether it has as many outputs as inputs by its nature."""
        return self.operator.keeps_channels

    @property
    def sides(self) -> tuple[Channels, Channels]:
        """The two counts it lies between, :data:`ONE` where there is one only."""
        if self.repeats is not None:
            return self.repeats.units, ONE
        return (self.inputs, ONE) if self.equal else (self.inputs, self.outputs)

    def between(self, first: int, second: int) -> Operator:
        """The operator where its :attr:`sides` have these values."""
        if self.repeats is not None:
            return self.repeats.of(self.operator, first)
        return self.operator.with_channels(first, first if self.equal else second)

    def at(self, widths: Sequence[int]) -> Operator:
        """The operator at one schedule."""
        first, second = self.sides
        return self.between(first.at(widths), second.at(widths))

    @property
    def macs_each(self) -> float:
        """Multiply-adds per product of the values of its :attr:`sides`."""
        if self.repeats is None:
            return self.macs
        pairs = self.operator.out_channels * (1 if self.equal else self.operator.in_channels)
        return self.macs * pairs * self.repeats.share(self.operator)
