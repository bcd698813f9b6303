"""Heads of attention as groups: units are heads, each with its rows, columns and biases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from autoprune.models.attention import (
    CosineWindowAttention,
    HeadedAttention,
    PartitionAttention,
    SelfAttention,
    TokenAttention,
    WindowAttention,
)
from autoprune.pruning.space import IndexSlice, LeftOut, PruningGroup, Role, SearchSpace
from autoprune.pruning.widths import legal_heads

Slices = Iterator[IndexSlice]


def head_group(name: str, module: HeadedAttention, min_keep: float = 0.1) -> PruningGroup:
    """The heads of one attention module.

    Args:
        name: of the module.
        min_keep: smallest fraction of its heads that may be kept.

    Returns:
        A group named after the layer that makes queries, keys and values; of several layers that
        make something for each head, the producers list all.
    """
    slices = tuple(
        replace(place, tensor=f"{name}.{place.tensor}" if name else place.tensor)
        for place in _SLICES[type(module)](module)
    )
    made = (_layer(place.tensor) for place in slices if place.role == "output")
    producers = tuple(dict.fromkeys(made))
    choices = legal_heads(module.heads, min_keep)
    return PruningGroup(producers[0], module.heads, choices, slices, producers)


def head_layers(model: nn.Module) -> tuple[str, ...]:
    """Names of the layers that make heads, by which patterns leave them alone."""
    return tuple(layer for group in _groups(model, 0.0) for layer in group.producers)


def with_heads(
    found: SearchSpace,
    model: nn.Module,
    layers: Sequence[str],
    *,
    ignore: Sequence[str],
    min_keep: float,
) -> SearchSpace:
    """``found`` with a group for the heads of every attention module.

    Groups and verdicts over the channels that make heads give way: those are no units.

    Args:
        found: groups found without regard to heads.
        layers: names of the layers in the order they ran.
        ignore: patterns over the layers that make heads.
    """
    heads = _groups(model, min_keep)
    taken = {(place.tensor, place.dim) for group in heads for place in group.slices}
    makers = {layer for group in heads for layer in group.producers}
    groups = [group for group in found.groups if not _touches(group, taken)]
    left_out = [left for left in found.left_out if left.name not in makers]
    for group in heads:
        reason = _ignored(group, ignore)
        if reason is None:
            groups.append(group)
        else:
            left_out.append(LeftOut.of(group.producers, reason))
    order = _order(model, layers)
    groups.sort(key=lambda group: order.get(group.name, len(order)))
    return SearchSpace(tuple(groups), tuple(left_out))


def _groups(model: nn.Module, min_keep: float) -> list[PruningGroup]:
    return [
        head_group(name, module, min_keep)
        for name, module in model.named_modules()
        if type(module) in _SLICES and isinstance(module, HeadedAttention)
    ]


def _touches(group: PruningGroup, taken: set[tuple[str, int]]) -> bool:
    return any((place.tensor, place.dim) in taken for place in group.slices)


def _ignored(group: PruningGroup, ignore: Sequence[str]) -> str | None:
    for pattern in ignore:
        for layer in group.producers:
            if fnmatchcase(layer, pattern):
                return f"layer {layer!r} is excluded by the pattern {pattern!r}"
    return None


def _order(model: nn.Module, layers: Sequence[str]) -> dict[str, float]:
    """Where each module's name stands among the layers that ran.

    A module that is none of them, as one that makes heads without being a layer, comes just before
    the first layer that follows it in the model.
    """
    ran = {layer: float(place) for place, layer in enumerate(layers)}
    order, following = dict(ran), float(len(layers))
    for name, _ in reversed(list(model.named_modules())):
        following = ran.get(name, following)
        order.setdefault(name, following - 0.5)
    return order


def _layer(tensor: str) -> str:
    return tensor.rpartition(".")[0]


def _rows(module: HeadedAttention, parts: int = 1) -> torch.Tensor:
    """Positions of each head's features, all queries before all keys; [heads, parts * head_dim]."""
    positions = torch.arange(parts * module.heads * module.head_dim)
    by_part = positions.view(parts, module.heads, module.head_dim)
    return by_part.transpose(0, 1).reshape(module.heads, parts * module.head_dim)


def _projections(
    module: HeadedAttention, weight: str, bias: str, output: str, *, biased: bool
) -> Slices:
    joint = _rows(module, parts=3)
    yield IndexSlice(weight, 0, joint, "output")
    if biased:
        yield IndexSlice(bias, 0, joint, "output")
    yield IndexSlice(output, 1, _rows(module), "input")


def _self_attention(module: SelfAttention) -> Slices:
    biased = module.in_proj_bias is not None
    return _projections(module, "in_proj_weight", "in_proj_bias", "out_proj.weight", biased=biased)


def _partitions(module: PartitionAttention) -> Slices:
    biased = module.to_qkv.bias is not None
    yield from _projections(module, "to_qkv.weight", "to_qkv.bias", "merge.weight", biased=biased)
    yield _each(module, "relative_position_bias_table", 1)


def _joint_projections(module: WindowAttention | TokenAttention) -> Slices:
    biased = module.qkv.bias is not None
    return _projections(module, "qkv.weight", "qkv.bias", "proj.weight", biased=biased)


def _windows(module: WindowAttention) -> Slices:
    yield from _joint_projections(module)
    yield _each(module, "relative_position_bias_table", 1)


def _cosine_windows(module: CosineWindowAttention) -> Slices:
    yield from _joint_projections(module)
    yield _each(module, "logit_scale", 0)
    last = len(module.cpb_mlp) - 1
    yield _each(module, f"cpb_mlp.{last}.weight", 0)


def _each(module: HeadedAttention, tensor: str, dim: int, role: Role = "through") -> IndexSlice:
    """A place that holds one position a head."""
    return IndexSlice(tensor, dim, torch.arange(module.heads)[:, None], role)


_SLICES: dict[type[nn.Module], Callable[[Any], Slices]] = {
    SelfAttention: _self_attention,
    TokenAttention: _joint_projections,
    PartitionAttention: _partitions,
    WindowAttention: _windows,
    CosineWindowAttention: _cosine_windows,
}
