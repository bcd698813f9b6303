"""A small residual network, really pruned, and the schedule that describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from autoprune.export.schedule import Schedule
from autoprune.models.residual import initialise, stage
from autoprune.pruning.groups import find_groups
from autoprune.pruning.surgery import prune
from latency_tables.device import this_device


class SmallResNet(nn.Module):
    """Two stages with the padded shortcut between them, on 3x32x32 images."""

    def __init__(self, num_classes: int = 5) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = stage(8, 8, 1, stride=1)
        self.layer2 = stage(8, 16, 1, stride=2)
        self.linear = nn.Linear(16, num_classes)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.layer2(self.layer1(out))
        return self.linear(out.mean((2, 3)))


def trained_like(model: nn.Module) -> nn.Module:
    """Batch norms with statistics of their own, as after training."""
    rng = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=rng).mul_(0.1)
            module.running_var.uniform_(0.5, 1.5, generator=rng)
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5, generator=rng)
                module.bias.normal_(generator=rng).mul_(0.1)
    return model.eval()


@dataclass(frozen=True)
class Case:
    """What a job hands over: both networks, and everything the schedule says of them."""

    unpruned: nn.Module
    pruned: nn.Module
    example_input: torch.Tensor
    fields: dict[str, Any]

    def schedule(self, **changes: Any) -> Schedule:
        """The schedule, with some of its fields replaced."""
        return Schedule.model_validate({**self.fields, **changes})


def layers_of(unpruned: nn.Module, pruned: nn.Module) -> dict[str, Any]:
    """The per-layer view, read off the modules."""
    view = {}
    for name, before in unpruned.named_modules():
        if isinstance(before, nn.Conv2d):
            after: Any = pruned.get_submodule(name)
            inputs = (before.in_channels, after.in_channels)
            outputs = (before.out_channels, after.out_channels)
        elif isinstance(before, nn.Linear):
            after = pruned.get_submodule(name)
            inputs = (before.in_features, after.in_features)
            outputs = (before.out_features, after.out_features)
        else:
            continue
        view[name] = {
            "type": "conv" if isinstance(before, nn.Conv2d) else "linear",
            "in_channels": inputs,
            "out_channels": outputs,
            "keep_ratio": outputs[1] / outputs[0],
        }
    return view


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def make_case() -> Case:
    """The network, pruned to half its width everywhere, and a schedule that says so."""
    torch.manual_seed(0)
    unpruned = trained_like(SmallResNet())
    example = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    space = find_groups(unpruned, example)
    kept = {
        group.name: torch.randperm(group.units)[: group.units // 2].sort().values
        for group in space.groups
    }
    pruned = prune(unpruned, space, kept)
    fields = {
        "model": {"name": None, "classes": 5, "input_shape": (3, 32, 32)},
        "layers": layers_of(unpruned, pruned),
        "groups": {
            group.name: {
                "units": group.units,
                "width": len(kept[group.name]),
                "kept": kept[group.name].tolist(),
            }
            for group in space.groups
        },
        "budget": {"given": ("90%",), "latency_s": 0.0009, "latency_fraction": 0.9},
        "device": this_device().to_json(),
        "runtime": "onnxruntime",
        "batch": 1,
        "threads": 1,
        "latency": {
            "base_s": 0.001,
            "predicted_s": 0.00048,
            "measured_s": 0.00049,
            "measured_ratio": 0.49,
            "status": "measured",
        },
        "costs": {"macs": (400_000, 110_000), "params": (_count(unpruned), _count(pruned))},
        "accuracy": {
            "validation": {"before": 0.93, "after_search": 0.9, "after": 0.92},
            "test": {"before": 0.92, "after_search": None, "after": 0.91},
        },
        "score": 0.31,
        "metric": {"name": "loss", "direction": "minimize"},
        "provenance": {
            "job": "j1",
            "searcher": "legr",
            "seed": 0,
            "trials": 4,
            "trial": 2,
            "digest": "d" * 64,
            "autoprune_version": "0.1.0",
            "environment": "torch 2, AVX2, 1 thread",
            "created": "2025-01-01T00:00:00Z",
            "command": "autoprune search --budget 90% --seed 0",
        },
        "hashes": {
            "base_weights": "a" * 64,
            "data": "b" * 64,
            "table": "c" * 64,
            "calibration": None,
        },
    }
    return Case(unpruned, pruned, example, fields)
