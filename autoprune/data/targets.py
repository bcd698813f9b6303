"""Trees of targets or outputs by the image: joined, taken from, counted, weighed and hashed.

A tree is a tensor whose first dimension counts images, a list with one entry an image (of any
kind), or a dict or tuple of trees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map

Tree = Any


def join(trees: Sequence[Tree]) -> Tree:
    """One tree of all images: tensors concatenated, lists joined, dicts and tuples by entries.

    Raises:
        ValueError: the trees are not of one kind, or their tensors do not fit.
    """
    first = trees[0]
    if any(type(tree) is not type(first) for tree in trees):
        kinds = ", ".join(sorted({type(tree).__name__ for tree in trees}))
        raise ValueError(f"expected one kind, got {kinds}")
    if isinstance(first, torch.Tensor):
        return _concatenated(trees)
    if isinstance(first, list):
        return [entry for tree in trees for entry in tree]
    if isinstance(first, Mapping):
        if any(tree.keys() != first.keys() for tree in trees):
            raise ValueError("expected the same keys in every batch")
        return {key: join([tree[key] for tree in trees]) for key in first}
    if isinstance(first, tuple):
        return tuple(join(parts) for parts in zip(*trees, strict=True))
    raise ValueError(f"expected a tensor, list, dict or tuple, got {type(first).__name__}")


def _concatenated(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    shapes = {tuple(tensor.shape[1:]) for tensor in tensors}
    if any(tensor.ndim == 0 for tensor in tensors) or len(shapes) > 1:
        raise ValueError(
            f"expected tensors that differ in their first dimension alone, got {describe(tensors)}"
        )
    return torch.cat(list(tensors))


def take(tree: Tree, index: torch.Tensor) -> Tree:
    """A copy of the entries at ``index`` [n], in that order."""
    if isinstance(tree, torch.Tensor):
        return tree[index]
    if isinstance(tree, list):
        return [tree_map(_copied, tree[position]) for position in index.tolist()]
    if isinstance(tree, Mapping):
        return {key: take(part, index) for key, part in tree.items()}
    return tuple(take(part, index) for part in tree)


def count_mismatch(tree: Tree, images: int) -> str | None:
    """What of a tree does not have one entry an image; None where all of it has."""
    if isinstance(tree, torch.Tensor | list):
        length = len(tree) if not isinstance(tree, torch.Tensor) or tree.ndim else 0
        return None if length == images else describe(tree)
    if isinstance(tree, Mapping):
        parts = {f"[{key!r}]": part for key, part in tree.items()}
    elif isinstance(tree, tuple):
        parts = {f"[{place}]": part for place, part in enumerate(tree)}
    else:
        return describe(tree)
    wrong = {place: count_mismatch(part, images) for place, part in parts.items()}
    return next((f"{place} {said}" for place, said in wrong.items() if said), None)


def digest_into(digest: Any, name: str, tree: Tree) -> None:
    """Add all of a tree to a hash; a tensor as its type, shape and bytes."""
    if not isinstance(tree, torch.Tensor):
        leaves, spec = tree_flatten(tree)
        digest.update(f"{name} {spec}".encode())
        for leaf in leaves:
            if isinstance(leaf, torch.Tensor):
                digest_into(digest, name, leaf)
            else:
                digest.update(repr(leaf).encode())
        return
    digest.update(f"{name} {tree.dtype} {list(tree.shape)}".encode())
    digest.update(tree.contiguous().reshape(-1).view(torch.uint8).numpy().data)


def size_in_bytes(tree: Tree) -> int:
    """Of all its tensors."""
    return sum(leaf.nbytes for leaf in tree_flatten(tree)[0] if isinstance(leaf, torch.Tensor))


def describe(value: Any) -> str:
    """A value for messages: what it is, its type and shape, the keys of a dict."""
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} of shape {list(value.shape)}"
    if isinstance(value, Mapping):
        return "a dict of " + ", ".join(f"{key}: {describe(each)}" for key, each in value.items())
    if isinstance(value, tuple | list):
        inside = f" ({describe(value[0])}, ...)" if len(value) else ""
        return f"{type(value).__name__} of {len(value)}{inside}"
    return type(value).__name__


def _copied(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, torch.Tensor) else leaf
