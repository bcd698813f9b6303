"""What an evaluation costs besides its forward and backward passes; the promise is below 10%.

Prints JSON: for each batch size and keep ratio, the CPU seconds of one evaluation, of the same
passes alone on batches that lie ready, and their ratio; and what one step's batch and update cost.

    python benchmarks/evaluation_overhead.py --batch-sizes 64 128 --keep 1.0 0.5 0.25
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn
from torch.nn import functional

from autoprune.data.dataset import Augmentation, Dataset, Split
from autoprune.evaluation.batches import Batch, ScoringBatches, TrainingBatches
from autoprune.evaluation.contract import EvaluationRequest, Fidelity, Metric
from autoprune.evaluation.descent import make_optimizer
from autoprune.evaluation.environment import prepare_training
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.placement import arranged
from autoprune.evaluation.recalibration import recalibrate
from autoprune.models.registry import build_model
from autoprune.pruning.criteria import choose_units
from autoprune.pruning.groups import find_groups
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import prune

CLASSES = 10


def random_dataset(train: int = 20_000, val: int = 1_000) -> Dataset:
    """Images of CIFAR's shape; their content does not matter for time."""
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        images = torch.randint(0, 256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
        return Split(images, torch.arange(count) % CLASSES)

    return Dataset(
        name="random",
        classes=tuple(str(label) for label in range(CLASSES)),
        train=split(train),
        val=split(val),
        test=None,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        augmentation=Augmentation(flip=True, crop_padding=4),
    )


def cpu_seconds(act: Callable[[], object], repeats: int) -> float:
    """Least CPU seconds of ``act`` on one thread: other programs can only add to it."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        act()
        taken.append(time.process_time() - start)
    return min(taken)


def forward_backward(model: nn.Module, batches: Iterable[Batch]) -> None:
    """Training passes alone, without an update."""
    model.train()
    for images, labels in batches:
        model.zero_grad(set_to_none=True)
        functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]


def forward(model: nn.Module, batches: Iterable[Batch]) -> None:
    """Inference passes alone."""
    model.eval()
    with torch.no_grad():
        for images, _ in batches:
            model(images)


def measure(
    model: nn.Module,
    space: SearchSpace,
    dataset: Dataset,
    widths: dict[str, int],
    fidelity: Fidelity,
    repeats: int,
) -> dict[str, float]:
    """Seconds of an evaluation and of its passes alone."""
    evaluator = NetworkEvaluator(model, space, dataset, criterion="l2", metric=Metric(), seed=0)
    request = EvaluationRequest(widths, fidelity, want_weights=True)
    kept = choose_units("l2", model.state_dict(), space, widths)
    pruned = arranged(prune(model, space, kept), dataset.layout)
    source = TrainingBatches(dataset, fidelity.batch_size, 0, "finetune")
    training = list(source.first(fidelity.steps))
    recalibration = list(source.first(fidelity.recalibration_batches))
    scoring = list(ScoringBatches(dataset))

    def passes() -> None:
        forward_backward(pruned, training)
        recalibrate(pruned, recalibration)  # nothing but passes, on batch statistics
        forward(pruned, scoring)

    optimizer = make_optimizer(pruned, 1e-6, 0.9, 0.0)
    passes()
    evaluator.evaluate(request)
    # Taken in turns, so that a slow minute of the machine falls on both.
    turns = [
        (cpu_seconds(passes, 1), cpu_seconds(lambda: evaluator.evaluate(request), 1))
        for _ in range(repeats)
    ]
    bare = min(turn[0] for turn in turns)
    whole = min(turn[1] for turn in turns)
    step = cpu_seconds(lambda: forward_backward(pruned, training), repeats) / fidelity.steps
    batch = cpu_seconds(lambda: list(source.first(fidelity.steps)), repeats) / fidelity.steps
    update = cpu_seconds(optimizer.step, 20)
    return {
        "evaluation_s": whole,
        "passes_s": bare,
        "overhead": whole / bare - 1.0,
        "step_passes_s": step,
        "step_batch_s": batch,
        "step_update_s": update,
        "step_overhead": (batch + update) / step,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="autoprune:resnet20")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--keep", type=float, nargs="+", default=[1.0, 0.5, 0.25])
    parser.add_argument("--steps", type=int, default=Fidelity().steps)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    prepare_training(1)
    torch.manual_seed(0)
    dataset = random_dataset()
    model = build_model(options.model, classes=CLASSES)
    space = find_groups(model, torch.rand(2, *dataset.input_shape))
    results = []
    for batch_size in options.batch_sizes:
        fidelity = Fidelity(steps=options.steps, batch_size=batch_size)
        for keep in options.keep:
            widths = {group.name: max(1, round(keep * group.units)) for group in space.groups}
            measured = measure(model, space, dataset, widths, fidelity, options.repeats)
            results.append({"batch_size": batch_size, "keep": keep, **measured})
    print(json.dumps({"model": options.model, "threads": 1, "results": results}, indent=2))


if __name__ == "__main__":
    main()
