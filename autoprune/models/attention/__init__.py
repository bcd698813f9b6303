"""Attention whose heads can be pruned, in place of modules that derive a head's size from input."""

from autoprune.models.attention.cosine_windows import CosineWindowAttention
from autoprune.models.attention.heads import HeadedAttention
from autoprune.models.attention.partitions import PartitionAttention
from autoprune.models.attention.replacing import prunable_attention
from autoprune.models.attention.self_attention import SelfAttention
from autoprune.models.attention.tokens import TokenAttention
from autoprune.models.attention.windows import WindowAttention

__all__ = [
    "CosineWindowAttention",
    "HeadedAttention",
    "PartitionAttention",
    "SelfAttention",
    "TokenAttention",
    "WindowAttention",
    "prunable_attention",
]
