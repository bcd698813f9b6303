"""Operators as eager torch modules."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from latency_tables.operators import Operator
from latency_tables.runtimes.semantics import check_supported


class _Add(nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first + second


class _Multiply(nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first * second


class _Concat(nn.Module):
    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        return torch.cat(parts, dim=1)


class _ChannelMap(nn.Module):
    index: torch.Tensor

    def __init__(self, op: Operator) -> None:
        super().__init__()
        self.stride = op.stride
        # Index in_channels is the padded zero channel.
        index = torch.arange(op.out_channels).clamp(max=op.in_channels)
        self.register_buffer("index", index)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sampled = x[:, :, :: self.stride[0], :: self.stride[1]]
        return nn.functional.pad(sampled, (0, 0, 0, 0, 0, 1)).index_select(1, self.index)


def _conv(op: Operator) -> nn.Module:
    return nn.Conv2d(
        op.in_channels,
        op.out_channels,
        op.kernel,
        stride=op.stride,
        padding=op.padding,
        dilation=op.dilation,
        groups=op.groups,
        bias=op.bias,
    )


def _batch_norm(op: Operator) -> nn.Module:
    two_dimensional = op.kind == "linear"
    return (nn.BatchNorm1d if two_dimensional else nn.BatchNorm2d)(op.out_channels)


_KINDS: dict[str, Callable[[Operator], nn.Module]] = {
    "conv": _conv,
    "linear": lambda op: nn.Linear(op.in_channels, op.out_channels, bias=op.bias),
    "batch_norm": _batch_norm,
    "activation": lambda _: nn.Identity(),
    "add": lambda _: _Add(),
    "multiply": lambda _: _Multiply(),
    "concat": lambda _: _Concat(),
    "max_pool": lambda op: nn.MaxPool2d(op.kernel, op.stride, op.padding, op.dilation),
    "avg_pool": lambda op: nn.AvgPool2d(op.kernel, op.stride, op.padding),
    "global_avg_pool": lambda _: nn.AdaptiveAvgPool2d(1),
    "channel_map": _ChannelMap,
}

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "leaky_relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class OperatorModule(nn.Module):
    """An operator, its batch norm and its activation, one after another, in evaluation mode.

    Raises:
        UnsupportedOperatorError: the operator cannot be run as described.
    """

    def __init__(self, op: Operator) -> None:
        super().__init__()
        check_supported(op)
        self.body = _KINDS[op.kind](op)
        self.tail = nn.Sequential()
        if op.batch_norm:
            self.tail.append(_batch_norm(op))
        if op.activation is not None:
            self.tail.append(_ACTIVATIONS[op.activation]())
        self.eval()

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Run on inputs of the shapes of :func:`latency_tables.runtimes.semantics.input_shapes`."""
        result: torch.Tensor = self.tail(self.body(*inputs))
        return result
