"""Channels that a product of two activations sums over: no weight reads them, so they stay."""

from __future__ import annotations

import pytest
import torch
from test_dependency_rules import TOKENS, Net, reason, spaced, units
from torch import Tensor, nn

LAYERS = {"before": (8, 8), "qkv": (8, 24), "proj": (8, 8), "mlp": (8, 12), "last": (12, 3)}


def attend(net: Net, x: Tensor) -> Tensor:
    """Attention as timm's Swin has it: any size of a head runs, and its scale is a constant."""
    images, tokens, _ = x.shape
    qkv = net.qkv(net.before(x)).reshape(images, tokens, 3, 2, -1).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    scores = ((q * 0.5) @ k.transpose(-2, -1)).softmax(-1)
    seen = (scores @ v).transpose(1, 2).reshape(images, tokens, -1)
    return net.last(net.mlp(net.proj(seen)).mean(1))


@pytest.mark.parametrize("size", [1e-4, 1.0, 10.0])
def test_channels_of_a_head_stay_whatever_the_size_of_the_weights(size: float) -> None:
    """With small ones the scores hardly change without a channel: no tolerance would tell."""
    torch.manual_seed(0)
    net = Net(attend, **{name: nn.Linear(*sizes) for name, sizes in LAYERS.items()})
    with torch.no_grad():
        net.qkv.weight[:16] *= size
    space = spaced(net, TOKENS)
    assert units(space) == {"before": 8, "proj": 8, "mlp": 12}
    assert reason(space, "qkv").startswith("a product of activations sums over its channels")


def test_what_a_product_hands_on_can_be_pruned() -> None:
    """Here the values, which it mixes token by token."""
    layers = {"q": (8, 4), "k": (8, 4), "v": (8, 6), "last": (6, 3)}
    net = Net(
        lambda n, x: n.last((n.q(x) @ n.k(x).transpose(1, 2)) @ n.v(x)).mean(1),
        **{name: nn.Linear(*sizes) for name, sizes in layers.items()},
    )
    space = spaced(net, TOKENS)
    assert units(space) == {"v": 6}
    for name in ("q", "k"):
        assert "a product of activations sums over its channels" in reason(space, name)
