"""Train a network from scratch, for benchmarks that need a trained one.

    python -m benchmarks.train --model autoprune:vgg16_bn --data imagefolder:DIR --out FILE

SGD with warm-up and cosine decay in bfloat16, which halves the time on processors that have it. Run
again after a stop it goes on from the last whole epoch, kept beside the weights. Prints the
validation accuracy.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import nn

from autoprune.cache import cache_folder
from autoprune.data.dataset import Dataset
from autoprune.data.registry import load_data
from autoprune.data.seeding import isolated_randomness
from autoprune.evaluation.environment import prepare_training
from autoprune.evaluation.layout import laid_out
from autoprune.evaluation.scoring import validate
from autoprune.evaluation.training import TrainingPlan, train
from autoprune.models.registry import build_model
from autoprune.models.weights import save_weights


def main() -> None:
    """Train, score, save."""
    options = _options()
    prepare_training(options.threads)
    dataset = load_data(options.data, cache_dir=cache_folder())
    with isolated_randomness(options.seed):
        model = build_model(
            options.model, classes=len(dataset.classes), input_shape=dataset.input_shape
        )
    plan = TrainingPlan(options.epochs, learning_rate=options.lr, warmup=0.2)
    dataset = laid_out(model, dataset)
    trained = run(model, dataset, plan, options.seed, options.out.with_suffix(".checkpoint"))
    save_weights(trained.state_dict(), options.out)
    _, accuracy = validate(trained, dataset)
    print(f"{options.model}: {accuracy:.2%} on {len(dataset.val.images)} validation images")


def run(
    model: nn.Module, dataset: Dataset, plan: TrainingPlan, seed: int, checkpoint: Path
) -> nn.Module:
    """The network after all epochs; those that ``checkpoint`` has are not repeated."""
    started = time.perf_counter()

    def on_epoch(epoch: int, state: bytes, loss: float) -> None:
        checkpoint.write_bytes(state)
        print(f"epoch {epoch}: loss {loss:.3f}, {time.perf_counter() - started:.0f} s", flush=True)

    resume = checkpoint.read_bytes() if checkpoint.exists() else None
    # Weights change within the context: a cache of their casts would train on old ones.
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        return train(model, dataset, plan, seed=seed, resume=resume, on_epoch=on_epoch)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="autoprune:vgg16_bn")
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="a .safetensors file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
