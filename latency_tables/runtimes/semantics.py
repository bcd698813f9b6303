"""What an operator's signature means, the same for every runtime."""

from __future__ import annotations

from typing import get_args

from latency_tables.errors import UnsupportedOperatorError
from latency_tables.operators import ACTIVATIONS, Operator, OperatorKind

KINDS: tuple[str, ...] = get_args(OperatorKind)
POWER = 4.0
"""What ``pow`` is measured with: no runtime has a shorter way for it."""
VARIANTS: dict[str, tuple[str, ...]] = {
    "add": ("scalar", "per_channel"),
    "multiply": ("scalar", "per_channel"),
    "matmul": ("transposed", "scaled", "scaled_transposed"),
    "attention": ("causal", "masked"),
    "softmax": ("log",),
    "pad": ("circular", "reflect", "replicate"),
    "resize": ("bilinear", "bilinear_corners", "bicubic", "bicubic_corners"),
}


TRANSPOSED = ("transposed", "scaled_transposed")
SCALED = ("scaled", "scaled_transposed")


def constant_shape(op: Operator) -> tuple[int, ...]:
    """The shape of the constants of an add or multiply ``per_channel``."""
    return (op.in_channels,) if op.width == 1 else (op.in_channels, 1, 1)


def check_supported(op: Operator) -> None:
    """Refuse what no runtime could run.

    Raises:
        UnsupportedOperatorError: an unknown kind, activation or variant, or sizes that do not fit.
    """
    for problem in (_unknown_name(op), _misfit(op)):
        if problem is not None:
            raise UnsupportedOperatorError(problem)


def _unknown_name(op: Operator) -> str | None:
    if op.kind not in KINDS:
        return f"cannot run {op.label}: the kinds are {', '.join(KINDS)}"
    if op.activation is not None and op.activation not in ACTIVATIONS:
        return (
            f"cannot run {op.label} with activation {op.activation!r}: "
            f"there is {', '.join(ACTIVATIONS)}"
        )
    if op.kind == "activation" and op.activation is None:
        return f"{op.label} does not say which activation it is"
    if op.variant is not None and op.variant not in VARIANTS.get(op.kind, ()):
        known = ", ".join(VARIANTS.get(op.kind, ())) or "none"
        return f"cannot run {op.label} of variant {op.variant!r}: there is {known}"
    return None


def _misfit(op: Operator) -> str | None:
    if min(op.in_channels, op.out_channels, op.copies) < 1:
        return f"{op.label}: every width must be at least 1, and so must the copies"
    if op.in_channels % op.groups or op.out_channels % op.groups:
        return f"{op.label}: both widths must be multiples of groups={op.groups}"
    if op.kind == "attention" and (op.head_dim < 1 or op.in_channels % op.head_dim):
        return f"{op.label}: its width must be a multiple of head_dim={op.head_dim}"
    if op.kind == "conv1d" and (op.height, op.kernel[0]) != (1, 1):
        return f"{op.label}: the height of a conv1d and of its kernel is 1"
    if op.kind == "instance_norm" and op.height * op.width == 1:
        return f"{op.label}: it takes its statistics over pixels, of which it needs two"
    if op.kind == "pad" and not _can_be_padded(op):
        return f"{op.label}: it cannot be padded to {op.kernel} by pixels, variant {op.variant!r}"
    if op.kind.startswith("pixel_") and op.kernel[0] != op.kernel[1]:
        return f"{op.label}: its blocks of pixels are squares, got {op.kernel}"
    if op.kind == "pixel_unshuffle" and (op.height % op.kernel[0] or op.width % op.kernel[1]):
        return f"{op.label}: both sizes must be multiples of those of a block, {op.kernel}"
    reach = zip(op.output_padding, op.stride, op.dilation, strict=True)
    if any(padding and padding >= max(rest) for padding, *rest in reach):
        return (
            f"{op.label}: output_padding={op.output_padding} must be smaller than "
            "the stride or the dilation"
        )
    return None


def padding_of(op: Operator) -> tuple[tuple[int, int], tuple[int, int]]:
    """What a pad adds (before, after) its rows, and its columns."""
    rows, columns = op.kernel[0] - op.height, op.kernel[1] - op.width
    return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)


def _can_be_padded(op: Operator) -> bool:
    """Whether there are as many pixels as are put on one side; a reflection spares the edge."""
    most = (op.height, op.width)
    if op.variant == "reflect":
        most = (op.height - 1, op.width - 1)
    added = [
        (size >= 0 and (after <= limit or op.variant == "replicate"))
        for size, (_, after), limit in zip(
            (op.kernel[0] - op.height, op.kernel[1] - op.width), padding_of(op), most, strict=True
        )
    ]
    return op.variant is not None and all(added)


def input_shapes(op: Operator, batch: int) -> list[tuple[int, ...]]:
    """The shape of each input of an operator.

    * linear: [batch, positions, in_channels]; [batch * positions, in_channels] with one position
      an image, or a batch norm
    * conv1d: [batch, in_channels, width]
    * matmul: [batch * copies, height, in_channels], [batch * copies, in_channels, out_channels]
    * attention: queries [batch * copies, heads, height, head_dim], keys and values alike with
      width for height; where masked, the mask [height, width]
    * layer_norm, l2_norm: [batch, height * width, channels]
    * softmax: [batch * height, channels, width], without the last where it is 1
    * add, multiply: two tensors of equal shape; with constants one, which holds its channels last
      where the width is 1, as tokens do
    * concat: in_channels and out_channels - in_channels side by side; where both are equal, two
      halves of out_channels
    * pixel_shuffle: [batch, in_channels * pixels of a block, height, width]
    * all others: one tensor [batch, in_channels, height, width]
    """
    if op.kind in ("matmul", "attention"):
        return _product_shapes(op, batch * op.copies)
    if op.kind in ("linear", "layer_norm", "l2_norm"):
        return [_token_shape(op, batch)]
    if op.kind == "conv1d":
        return [(batch, op.in_channels, op.width)]
    if op.variant in ("scalar", "per_channel") and op.width == 1:
        return [(batch, op.height, op.in_channels)]
    if op.kind == "softmax":
        columns = (op.width,) if op.width > 1 else ()
        return [(batch * op.height, op.in_channels, *columns)]
    return [(batch, count, op.height, op.width) for count in _channel_counts(op)]


def _product_shapes(op: Operator, copies: int) -> list[tuple[int, ...]]:
    if op.kind == "matmul":
        second = (op.in_channels, op.out_channels)
        if op.variant in TRANSPOSED:
            second = (op.out_channels, op.in_channels)
        return [(copies, op.height, op.in_channels), (copies, *second)]
    heads = op.in_channels // op.head_dim
    queries = (copies, heads, op.height, op.head_dim)
    keys = (copies, heads, op.width, op.head_dim)
    mask = [(op.height, op.width)] if op.variant == "masked" else []
    return [queries, keys, keys, *mask]


def _token_shape(op: Operator, batch: int) -> tuple[int, ...]:
    positions = op.height * op.width
    if op.kind == "linear" and (positions == 1 or op.batch_norm):
        return (batch * positions, op.in_channels)
    return (batch, positions, op.in_channels)


def _channel_counts(op: Operator) -> list[int]:
    first = op.in_channels
    if op.kind == "concat":
        if first == op.out_channels:
            first = (op.out_channels + 1) // 2
        rest = op.out_channels - first
        return [first, rest] if rest > 0 else [first]
    if op.kind == "pixel_shuffle":
        return [first * op.kernel[0] * op.kernel[1]]
    two = op.kind in ("add", "multiply") and op.variant is None
    return [first, first] if two else [first]
