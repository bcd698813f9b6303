"""What an operator's signature means, the same for every runtime."""

from __future__ import annotations

from typing import get_args

from latency_tables.errors import UnsupportedOperatorError
from latency_tables.operators import Operator, OperatorKind

KINDS: tuple[str, ...] = get_args(OperatorKind)
ACTIVATIONS = (
    "elu",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "leaky_relu",
    "relu",
    "relu6",
    "sigmoid",
    "silu",
    "tanh",
)
"""The activations every runtime runs: lower-case names of torch.nn.functional."""


def check_supported(op: Operator) -> None:
    """Refuse what no runtime could run.

    Raises:
        UnsupportedOperatorError: an unknown kind or activation, or channels that do not fit.
    """
    if op.kind not in KINDS:
        raise UnsupportedOperatorError(f"cannot run {op.label}: the kinds are {', '.join(KINDS)}")
    if op.activation is not None and op.activation not in ACTIVATIONS:
        raise UnsupportedOperatorError(
            f"cannot run {op.label} with activation {op.activation!r}: "
            f"there is {', '.join(ACTIVATIONS)}"
        )
    if op.kind == "activation" and op.activation is None:
        raise UnsupportedOperatorError(f"{op.label} does not say which activation it is")
    if min(op.in_channels, op.out_channels) < 1:
        raise UnsupportedOperatorError(f"{op.label}: every width must be at least 1")
    if op.in_channels % op.groups or op.out_channels % op.groups:
        raise UnsupportedOperatorError(
            f"{op.label}: both widths must be multiples of groups={op.groups}"
        )


def input_shapes(op: Operator, batch: int) -> list[tuple[int, ...]]:
    """The shape of each input of an operator.

    * linear: one matrix [batch * height * width, in_channels]
    * add, multiply: two tensors of equal shape
    * concat: in_channels and out_channels - in_channels side by side; where both are equal, two
      halves of out_channels
    * all others: one tensor [batch, in_channels, height, width]
    """
    if op.kind == "linear":
        return [(batch * op.height * op.width, op.in_channels)]
    first = op.in_channels
    if op.kind == "concat":
        if first == op.out_channels:
            first = (op.out_channels + 1) // 2
        rest = op.out_channels - first
        channels = [first, rest] if rest > 0 else [first]
    else:
        channels = [first, first] if op.kind in ("add", "multiply") else [first]
    return [(batch, count, op.height, op.width) for count in channels]
