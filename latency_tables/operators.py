"""What a latency is measured of: one operator, as a runtime will run it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

OperatorKind = Literal[
    "conv",
    "conv1d",
    "conv_transpose",
    "linear",
    "matmul",
    "attention",
    "batch_norm",
    "instance_norm",
    "layer_norm",
    "group_norm",
    "l2_norm",
    "softmax",
    "activation",
    "add",
    "multiply",
    "concat",
    "max_pool",
    "avg_pool",
    "global_avg_pool",
    "global_max_pool",
    "resize",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_map",
]
ACTIVATIONS = (
    "abs",
    "celu",
    "cos",
    "elu",
    "exp",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log",
    "logsigmoid",
    "mish",
    "pow",
    "reciprocal",
    "relu",
    "relu6",
    "rsqrt",
    "selu",
    "sigmoid",
    "silu",
    "sin",
    "softplus",
    "sqrt",
    "square",
    "tanh",
)
"""The functions of single numbers that every runtime runs.

Lower-case names of torch.nn.functional, or of torch; ``hardtanh`` is any clamp to constants, and
``pow`` any power by a constant that is not computed by multiplications, as ``square`` is.
"""
CONVOLUTIONS = frozenset({"conv", "conv1d", "conv_transpose"})
TWO_WIDTHS = CONVOLUTIONS | {"linear", "matmul", "channel_map"}
"""Kinds whose inputs and outputs are counted apart; a depthwise convolution's are not."""


@dataclass(frozen=True)
class Operator:
    """The signature of one operator; what two operators share here costs the same.

    ``in_channels`` and ``out_channels`` count channels (features for linear); kinds that keep the
    channel count have both equal. ``height`` and ``width`` are the input's, in pixels (1 for a
    vector). ``batch_norm`` and ``activation`` say what is fused or follows directly. For
    depthwise convolutions ``groups`` equals both channel counts. ``channel_map`` is the
    parameter-free residual shortcut: subsample by ``stride``, then gather channels, zeros included.

    Kinds that read these differently:

    * linear: ``height * width`` positions (tokens) an image
    * conv1d: over ``width``, at a height of 1
    * conv_transpose: ``output_padding`` as torch has it
    * matmul: [height, in_channels] times [in_channels, out_channels], ``copies`` times an image;
      variant ``transposed``: the second one lies in memory the other way round; ``scaled``: the
      first one is multiplied by a number before; ``scaled_transposed``: both
    * attention: queries at ``height``, keys and values at ``width`` positions, ``copies`` times an
      image; the channels are heads times ``head_dim``; variant ``causal`` or ``masked``
    * layer_norm, l2_norm (division by the length): over the channels, at ``height * width``
      positions
    * softmax: over the channels, ``height`` blocks of them, each of ``width`` columns; variant
      ``log``
    * resize: to ``kernel`` pixels, the nearest; variant ``bilinear`` or ``bicubic``, with
      ``_corners`` after it where the corners' centres are aligned
    * pad: to ``kernel`` pixels by others of them, as much on both sides; variant ``circular``,
      ``reflect`` or ``replicate``, without which there is none
    * pixel_shuffle, pixel_unshuffle: blocks of ``kernel`` pixels, both sizes equal, are the
      neighbouring channels of the other side; the channels are those of the larger images
    * add, multiply: of two tensors; variant ``scalar`` or ``per_channel``: with constants
    """

    kind: OperatorKind
    in_channels: int
    out_channels: int
    height: int = 1
    width: int = 1
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    bias: bool = False
    batch_norm: bool = False
    activation: str | None = None
    output_padding: tuple[int, int] = (0, 0)
    head_dim: int = 0
    copies: int = 1
    variant: str | None = None

    @property
    def depthwise(self) -> bool:
        """Whether it is a convolution of one channel a group."""
        return (
            self.kind in CONVOLUTIONS
            and self.groups > 1
            and self.groups == self.in_channels == self.out_channels
        )

    @property
    def keeps_channels(self) -> bool:
        """Whether it has as many outputs as inputs by its nature."""
        return self.depthwise or self.kind not in TWO_WIDTHS

    def with_channels(self, in_channels: int, out_channels: int) -> Operator:
        """The same operator at other widths.

        A depthwise convolution stays depthwise, an attention keeps the size of its heads.
        """
        return replace(
            self,
            in_channels=in_channels,
            out_channels=out_channels,
            groups=out_channels if self.depthwise else self.groups,
        )

    def __lt__(self, other: Operator) -> bool:
        """By kind, then widths, then the rest; no activation comes before any."""
        return self._order < other._order

    @property
    def _order(self) -> tuple[Any, ...]:
        # None cannot be compared with the name of an activation.
        values = (getattr(self, each.name) for each in fields(self))
        return tuple("" if value is None else value for value in values)

    @property
    def label(self) -> str:
        """Short name for messages, as in ``conv3x3 64->48 at 16x16``."""
        kernel = f"{self.kernel[0]}x{self.kernel[1]}" if self.kind in CONVOLUTIONS else ""
        shape = f"{self.in_channels}->{self.out_channels} at {self.height}x{self.width}"
        copies = f" {self.copies} times" if self.copies > 1 else ""
        return f"{self.kind}{kernel} {shape}{copies}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, tuples as lists.

        Fields of :data:`_ADDED` are left out at their defaults, so that a table sealed before
        there were any keeps its hash.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in values.items()
            if key not in _ADDED or value != _ADDED[key]
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Operator:
        """The reverse of :meth:`to_json`."""
        given: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**given)


_ADDED: dict[str, Any] = {
    each.name: each.default
    for each in fields(Operator)
    if each.name in ("output_padding", "head_dim", "copies", "variant")
}
"""Fields that the first tables did not have, with their defaults."""
