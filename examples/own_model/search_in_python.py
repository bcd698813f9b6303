"""The same search from Python, on a model and loaders in memory; run my_model.py first."""

from __future__ import annotations

import torch
from my_model import WEIGHTS, data, network
from safetensors.torch import load_file

import autoprune


def main() -> None:
    """Search, export and load the network again."""
    model = network(10)
    model.load_state_dict(load_file(WEIGHTS))
    loaders = data()
    result = autoprune.search(
        model,
        torch.randn(1, 1, 8, 8),
        train=loaders["train"],
        val=loaders["val"],
        test=loaders["test"],
        budget="50%",
        divisor=8,
        trials=20,
    )
    folder = result.export("pruned")
    pruned = autoprune.load(folder, model=network)
    print(f"{result.schedule.latency.measured_ratio:.1%} of the latency, in {folder}")
    print(pruned)


if __name__ == "__main__":
    main()
