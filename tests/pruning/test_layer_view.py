from typing import Any

import pytest
import torch
from torch import nn

from autoprune.pruning.layers import describe_layers, layer_view
from autoprune.pruning.surgery import prune


@pytest.mark.parametrize("fixture", ["resnet20", "mobilenet", "grouped"])
def test_the_view_shows_the_channels_of_the_really_pruned_network(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    subject: Any = request.getfixturevalue(fixture)
    widths = {g.name: g.choices[len(g.choices) // 3] for g in subject.space.groups}
    kept = {name: torch.arange(width) for name, width in widths.items()}
    pruned = prune(subject.model, subject.space, kept)
    view = layer_view(describe_layers(subject.model, subject.space), widths)
    layers = [n for n, m in subject.model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert list(view) == layers
    for name, seen in view.items():
        before, after = subject.model.get_submodule(name), pruned.get_submodule(name)
        if isinstance(before, nn.Conv2d):
            assert seen["in_channels"] == [before.in_channels, after.in_channels]
            assert seen["out_channels"] == [before.out_channels, after.out_channels]
        else:
            assert seen["in_channels"] == [before.in_features, after.in_features]
            assert seen["out_channels"] == [before.out_features, after.out_features]
        assert seen["keep_ratio"] == seen["out_channels"][1] / seen["out_channels"][0]
        assert (seen["type"] == "linear") == isinstance(before, nn.Linear)
    assert view[layers[0]]["keep_ratio"] < 1.0
    assert view[layers[-1]]["keep_ratio"] == 1.0
