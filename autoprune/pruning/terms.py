"""One operator of a network, as a term of its cost."""

from __future__ import annotations

from dataclasses import dataclass

from autoprune.pruning.channels import Channels
from latency_tables.operators import Operator


@dataclass(frozen=True)
class Term:
    """One operator of the network.

    Args:
        operator: at full width.
        inputs, outputs: its channels.
        layer: module name, for messages.
        macs: multiply-adds per pair of input and output channel, or per channel where ``equal``.
    """

    operator: Operator
    inputs: Channels
    outputs: Channels
    layer: str
    macs: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether it has as many outputs as inputs by its nature."""
        return self.operator.keeps_channels
