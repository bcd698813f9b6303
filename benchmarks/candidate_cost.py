"""What making a candidate network from its schedule costs, against one training step.

    python -m benchmarks.candidate_cost --model torchvision:resnet50 --batch-size 64

Prints JSON: CPU seconds for choosing the units and slicing, for reconstruction as well, for one
training step of the unpruned network on one thread, the shares, and by how many MiB the process
grew over ``--candidates`` candidates.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np
import torch

from autoprune.evaluation.environment import prepare_training
from autoprune.evaluation.moments import measure_moments
from autoprune.models.registry import build_model
from autoprune.pruning.criteria import choose_units
from autoprune.pruning.groups import find_groups
from autoprune.pruning.reconstruction import reconstruct
from autoprune.pruning.surgery import prune
from benchmarks.random_schedules import random_widths


def main() -> None:
    """Measure and print."""
    options = _options()
    prepare_training(1)
    torch.manual_seed(0)
    model = build_model(options.model, classes=1000, input_shape=(3, 224, 224))
    space = find_groups(model, torch.randn(1, 3, 224, 224))
    images = torch.randn(2, 3, 224, 224)
    moments = measure_moments(model, space, [(images, torch.zeros(2))])
    state = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    rng = np.random.default_rng(0)
    plain, fitted, grown = [], [], []
    for _ in range(options.candidates):
        widths = random_widths(space, rng)
        started = time.process_time()
        kept = choose_units("l2", state, space, widths)
        prune(model, space, kept, state)
        plain.append(time.process_time() - started)
        grown.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    for _ in range(options.reconstructed):
        kept = choose_units("l2", state, space, random_widths(space, rng))
        started = time.process_time()
        reconstruct(state, space, kept, moments)
        fitted.append(time.process_time() - started)
    step = step_seconds(model, options.batch_size)
    slicing, solving = float(np.median(plain)), float(np.median(fitted))
    print(
        json.dumps(
            {
                "slicing_s": slicing,
                "reconstruction_s": solving,
                "step_s": step,
                "slicing_share": slicing / step,
                "share_with_reconstruction": (slicing + solving) / step,
                "candidates": options.candidates,
                "grown_mib": grown[-1] - grown[len(grown) // 10],
            },
            indent=2,
        )
    )


def step_seconds(model: torch.nn.Module, batch_size: int) -> float:
    """CPU seconds of one forward and backward pass and an update, the second of two."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    images, labels = torch.randn(batch_size, 3, 224, 224), torch.arange(batch_size) % 10
    for _ in range(2):
        started = time.process_time()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return time.process_time() - started


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="torchvision:resnet50")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--reconstructed", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
