"""What attention modules with prunable heads share: the weights say how many there are."""

from __future__ import annotations

from typing import Self

import torch
from torch import nn

from autoprune.errors import ModelError


class HeadedAttention(nn.Module):
    """Attention with ``heads`` heads of ``head_dim`` features, whatever the width of its input.

    A joint projection makes queries, keys and values: [3 * heads * head_dim, inputs], all queries
    first, head after head. The output projection reads the heads side by side.

    Args:
        heads: follows the weights, see :meth:`follow_weights`.
        head_dim: features of one head's queries, keys and values; pruning leaves it.
    """

    heads: int
    head_dim: int

    @classmethod
    def adopting(cls, original: nn.Module) -> Self:
        """A module of this class with everything that ``original`` holds, which is used up.

        Parameters, buffers, submodules, hooks, training mode and settings are the very same.
        """
        adopted = cls.__new__(cls)
        adopted.__dict__.update(vars(original))
        return adopted

    @property
    def num_heads(self) -> int:
        """Torch's name for ``heads``, which a network around this module may read."""
        return self.heads

    def follow_weights(self) -> None:
        """Count the heads that the weights hold.

        Raises:
            ModelError: they do not hold whole heads.
        """
        rows, columns = self.joint_weight().shape[0], self.output_projection().weight.shape[1]
        self.heads = columns // self.head_dim
        if rows != 3 * columns or columns % self.head_dim or not self.heads:
            raise ModelError(
                f"{type(self).__name__}: {rows} rows of queries, keys and values, and an output "
                f"projection of {columns} inputs, are no whole heads of {self.head_dim} features; "
                "remove whole heads"
            )

    def joint_weight(self) -> torch.Tensor:
        """What makes queries, keys and values; [3 * heads * head_dim, inputs]."""
        raise NotImplementedError

    def output_projection(self) -> nn.Linear:
        """What reads all heads; its weight is [outputs, heads * head_dim]."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Shown inside the module's repr."""
        return f"heads={self.heads}, head_dim={self.head_dim}"


class ProjectedAttention(HeadedAttention):
    """With linear layers ``qkv`` and ``proj``, as timm's and torchvision's Swin have them."""

    qkv: nn.Linear
    proj: nn.Linear

    @classmethod
    def adopting(cls, original: nn.Module) -> Self:
        """As of every such class; the original counts its heads as ``num_heads``."""
        attention = super().adopting(original)
        attention.heads = vars(attention).pop("num_heads")
        attention.head_dim = attention.proj.in_features // attention.heads
        return attention

    def joint_weight(self) -> torch.Tensor:
        """[3 * heads * head_dim, width]."""
        return self.qkv.weight

    def output_projection(self) -> nn.Linear:
        """Its weight is [width, heads * head_dim]."""
        return self.proj
