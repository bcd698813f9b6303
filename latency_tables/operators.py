"""What a latency is measured of: one operator, as a runtime will run it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

OperatorKind = Literal[
    "conv",
    "linear",
    "batch_norm",
    "activation",
    "add",
    "multiply",
    "concat",
    "max_pool",
    "avg_pool",
    "global_avg_pool",
    "channel_map",
]


@dataclass(frozen=True)
class Operator:
    """The signature of one operator; what two operators share here costs the same.

    ``in_channels`` and ``out_channels`` count channels (features for linear); kinds that keep the
    channel count have both equal. ``height`` and ``width`` are the input's, in pixels (1 for a
    vector). ``batch_norm`` and ``activation`` say what is fused or follows directly. For
    depthwise convolutions ``groups`` equals both channel counts. ``channel_map`` is the
    parameter-free residual shortcut: subsample by ``stride``, then gather channels, zeros included.
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

    def with_channels(self, in_channels: int, out_channels: int) -> Operator:
        """The same operator at other widths; a depthwise convolution stays depthwise."""
        depthwise = self.groups > 1 and self.groups == self.in_channels == self.out_channels
        return replace(
            self,
            in_channels=in_channels,
            out_channels=out_channels,
            groups=out_channels if depthwise else self.groups,
        )

    def __lt__(self, other: Operator) -> bool:
        """By kind, then widths, then the rest; no activation comes before any."""
        return self._order < other._order

    @property
    def _order(self) -> tuple[Any, ...]:
        # None cannot be compared with the name of an activation.
        return tuple("" if value is None else value for value in self.to_json().values())

    @property
    def label(self) -> str:
        """Short name for messages, as in ``conv3x3 64->48 at 16x16``."""
        shape = f"{self.in_channels}->{self.out_channels} at {self.height}x{self.width}"
        if self.kind == "conv":
            return f"conv{self.kernel[0]}x{self.kernel[1]} {shape}"
        return f"{self.kind} {shape}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, tuples as lists."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Operator:
        """The reverse of :meth:`to_json`."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**fields)
