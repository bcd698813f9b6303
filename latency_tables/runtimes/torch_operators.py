"""Operators as eager torch modules."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from latency_tables.operators import Operator
from latency_tables.runtimes.semantics import (
    POWER,
    SCALED,
    TRANSPOSED,
    check_supported,
    constant_shape,
    padding_of,
)

_SCALAR = 0.5


class _Elementwise(nn.Module):
    """Of two tensors, or of one and constants: a number, or a value a channel."""

    constant: torch.Tensor

    def __init__(self, op: Operator, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function
        self.scalar = _SCALAR if op.variant == "scalar" else None
        self.register_buffer("constant", torch.randn(constant_shape(op)))

    def forward(self, first: torch.Tensor, second: torch.Tensor | None = None) -> torch.Tensor:
        if second is not None:
            return self.function(first, second)
        return self.function(first, self.constant if self.scalar is None else self.scalar)


class _Function(nn.Module):
    """One of single numbers, for which torch has no module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class _Matmul(nn.Module):
    def __init__(self, op: Operator) -> None:
        super().__init__()
        self.transposed = op.variant in TRANSPOSED
        self.scaled = op.variant in SCALED

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        if self.scaled:
            first = first * _SCALAR
        return torch.matmul(first, second.transpose(-2, -1) if self.transposed else second)


class _Attention(nn.Module):
    def __init__(self, op: Operator) -> None:
        super().__init__()
        self.causal = op.variant == "causal"

    def forward(
        self,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, is_causal=self.causal
        )


class _L2Norm(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(x, dim=-1)


class _Concat(nn.Module):
    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        return torch.cat(parts, dim=1)


class _GlobalMaxPool(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax((2, 3), keepdim=True)


class _Resize(nn.Module):
    def __init__(self, op: Operator) -> None:
        super().__init__()
        self.size = list(op.kernel)
        self.mode, _, corners = (op.variant or "nearest").partition("_")
        self.align_corners = None if op.variant is None else bool(corners)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(
            x, self.size, mode=self.mode, align_corners=self.align_corners
        )


class _Pad(nn.Module):
    def __init__(self, op: Operator) -> None:
        super().__init__()
        rows, columns = padding_of(op)
        self.padding = [*columns, *rows]
        self.mode = op.variant or "constant"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(x, self.padding, mode=self.mode)


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
    flat = op.kind == "conv1d"
    kind = nn.Conv1d if flat else nn.Conv2d
    return kind(
        op.in_channels,
        op.out_channels,
        op.kernel[1:] if flat else op.kernel,  # type: ignore[arg-type]  # 1 or 2 values each
        stride=op.stride[1:] if flat else op.stride,  # type: ignore[arg-type]
        padding=op.padding[1:] if flat else op.padding,  # type: ignore[arg-type]
        dilation=op.dilation[1:] if flat else op.dilation,  # type: ignore[arg-type]
        groups=op.groups,
        bias=op.bias,
    )


def _conv_transpose(op: Operator) -> nn.Module:
    return nn.ConvTranspose2d(
        op.in_channels,
        op.out_channels,
        op.kernel,
        stride=op.stride,
        padding=op.padding,
        output_padding=op.output_padding,
        dilation=op.dilation,
        groups=op.groups,
        bias=op.bias,
    )


def _batch_norm(op: Operator) -> nn.Module:
    one_dimensional = op.kind in ("linear", "conv1d")
    return (nn.BatchNorm1d if one_dimensional else nn.BatchNorm2d)(op.out_channels)


_KINDS: dict[str, Callable[[Operator], nn.Module]] = {
    "conv": _conv,
    "conv1d": _conv,
    "conv_transpose": _conv_transpose,
    "linear": lambda op: nn.Linear(op.in_channels, op.out_channels, bias=op.bias),
    "matmul": _Matmul,
    "attention": _Attention,
    "batch_norm": _batch_norm,
    "instance_norm": lambda op: nn.InstanceNorm2d(op.in_channels, affine=True),
    "layer_norm": lambda op: nn.LayerNorm(op.in_channels),
    "group_norm": lambda op: nn.GroupNorm(op.groups, op.in_channels),
    "l2_norm": lambda _: _L2Norm(),
    "softmax": lambda op: (nn.LogSoftmax if op.variant == "log" else nn.Softmax)(dim=1),
    "activation": lambda _: nn.Identity(),
    "add": lambda op: _Elementwise(op, torch.add),
    "multiply": lambda op: _Elementwise(op, torch.mul),
    "concat": lambda _: _Concat(),
    "max_pool": lambda op: nn.MaxPool2d(op.kernel, op.stride, op.padding, op.dilation),
    "avg_pool": lambda op: nn.AvgPool2d(op.kernel, op.stride, op.padding),
    "global_avg_pool": lambda _: nn.AdaptiveAvgPool2d(1),
    "global_max_pool": lambda _: _GlobalMaxPool(),
    "resize": _Resize,
    "pad": _Pad,
    "pixel_shuffle": lambda op: nn.PixelShuffle(op.kernel[0]),
    "pixel_unshuffle": lambda op: nn.PixelUnshuffle(op.kernel[0]),
    "channel_map": _ChannelMap,
}

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "celu": nn.CELU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh,
    "leaky_relu": nn.LeakyReLU,
    "logsigmoid": nn.LogSigmoid,
    "mish": nn.Mish,
    "pow": lambda: _Function(lambda x: x**POWER),
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}


def _activation(name: str) -> nn.Module:
    made = _ACTIVATIONS.get(name)
    return _Function(getattr(torch, name)) if made is None else made()


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
            self.tail.append(_activation(op.activation))
        self.eval()

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Run on inputs of the shapes of :func:`latency_tables.runtimes.semantics.input_shapes`."""
        result: torch.Tensor = self.tail(self.body(*inputs))
        return result
