"""What of other people's networks can be pruned: torchvision's classifiers and a sample of timm's.

    python -m benchmarks.zoo > docs/models.md
    python -m benchmarks.zoo --models torchvision:resnet18 timm:dla34

For each network: the groups are found and pre-flighted, random units are cut from all of them, the
result runs, trains for two steps, and is exported to ONNX, which must compute the same.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from dataclasses import dataclass

import onnxruntime
import torch
from torch import nn

from autoprune.errors import AutopruneError
from autoprune.models.registry import build_model
from autoprune.pruning.cost import CostModel
from autoprune.pruning.groups import find_groups
from autoprune.pruning.network import read_network
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import prune
from benchmarks.random_schedules import random_kept
from latency_tables.runtimes.onnx_export import export_onnx

FAMILIES = (
    "torchvision:alexnet",
    "torchvision:vgg16_bn",
    "torchvision:resnet18",
    "torchvision:resnext50_32x4d",
    "torchvision:wide_resnet50_2",
    "torchvision:densenet121",
    "torchvision:googlenet",
    "torchvision:inception_v3",
    "torchvision:squeezenet1_1",
    "torchvision:shufflenet_v2_x1_0",
    "torchvision:mobilenet_v2",
    "torchvision:mobilenet_v3_small",
    "torchvision:mnasnet1_0",
    "torchvision:efficientnet_b0",
    "torchvision:efficientnet_v2_s",
    "torchvision:regnet_x_400mf",
    "torchvision:regnet_y_400mf",
    "torchvision:convnext_tiny",
    "torchvision:vit_b_16",
    "torchvision:swin_t",
    "torchvision:swin_v2_t",
    "torchvision:maxvit_t",
)
TIMM = (
    "timm:resnet18",
    "timm:resnetv2_50",
    "timm:efficientnet_b0",
    "timm:mobilenetv3_small_100",
    "timm:repvgg_a0",
    "timm:ghostnet_100",
    "timm:hrnet_w18_small",
    "timm:dla34",
    "timm:vit_tiny_patch16_224",
    "timm:deit_tiny_patch16_224",
    "timm:convnext_atto",
    "timm:regnety_002",
    "timm:densenet121",
    "timm:inception_v4",
    "timm:xception41",
    "timm:mixer_s16_224",
    "timm:poolformer_s12",
    "timm:tf_efficientnet_lite0",
    "timm:mobilevit_xxs",
    "timm:ese_vovnet19b_dw",
)
"""A sample."""
SIZES = {"torchvision:inception_v3": 299, "timm:inception_v4": 299, "timm:mobilevit_xxs": 256}
OUTPUT = "its channels are an output of the network"
TOLERANCE = 1e-3
"""Between the pruned network and its ONNX file, as a fraction of the largest output."""


@dataclass(frozen=True)
class Row:
    """What was found of one network.

    Args:
        seconds: for finding the groups, and for finding and checking them.
        macs: the fraction of multiply-adds that goes at the narrowest schedule; None where the cost
            model cannot price the network, which ``unpriced`` explains.
        units: in the groups found, and of those that a random schedule keeps.
    """

    name: str
    space: SearchSpace
    seconds: float
    macs: float | None
    unpriced: str
    units: tuple[int, int]


def main() -> None:
    """Print a page in Markdown."""
    options = _options()
    rows = [examine(name) for name in options.models]
    print(PAGE)
    print("| network | groups | left out | s | multiply-adds that can go |\n" + "| --- " * 5 + "|")
    for row in rows:
        macs = "not priced" if row.macs is None else f"{row.macs:.0%}"
        cells = [row.name, len(row.space.groups), len(row.space.left_out), f"{row.seconds:.1f}"]
        print(f"| {' | '.join(map(str, [*cells, macs]))} |")
    print("\n## Left out, and why\n")
    print("The output of the network, everywhere; and besides:\n")
    for row in rows:
        if reasons := _reasons(row):
            print(f"- **{row.name}**: {reasons}.")


def examine(name: str, size: int | None = None) -> Row:
    """Find, check, prune, run, train and export one network.

    Args:
        name: as for ``--model``.
        size: of the images, in pixels each way.

    Raises:
        AssertionError: the pruned network does not compute what its ONNX file does.
    """
    size = size or SIZES.get(name, 224)
    torch.manual_seed(0)
    model = build_model(name, classes=10, input_shape=(3, size, size))
    example = torch.randn(1, 3, size, size)
    started = time.perf_counter()
    space = find_groups(model, example)
    seconds = time.perf_counter() - started
    kept = random_kept(space, seed=1)
    pruned = prune(model, space, kept)
    check_export(pruned, example)
    train_two_steps(pruned, torch.randn(2, 3, size, size))
    macs, unpriced = _prunable(model, example, space)
    units = sum(group.units for group in space.groups), sum(map(len, kept.values()))
    return Row(name, space, seconds, macs, unpriced, units)


def check_export(pruned: nn.Module, example: torch.Tensor) -> None:
    """The ONNX file computes what the network does."""
    session = onnxruntime.InferenceSession(
        export_onnx(pruned.eval(), example), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"input": example.numpy()})
    with torch.no_grad():
        expected = pruned(example)
    difference = (torch.from_numpy(found) - expected).abs().max()
    assert difference <= TOLERANCE * expected.abs().max(), float(difference)


def train_two_steps(pruned: nn.Module, images: torch.Tensor) -> None:
    """Gradients flow and an optimiser can use them."""
    pruned.train()
    optimizer = torch.optim.SGD(pruned.parameters(), lr=1e-3)
    for _ in range(2):
        outputs = pruned(images)
        logits = outputs if isinstance(outputs, torch.Tensor) else outputs[0]
        loss = logits.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.isfinite(loss)


def _prunable(
    model: nn.Module, example: torch.Tensor, space: SearchSpace
) -> tuple[float | None, str]:
    try:
        cost = CostModel(space, read_network(model, example, space))
    except AutopruneError as error:
        return None, str(error)
    full = cost.macs([group.units for group in space.groups])[0]
    floor = cost.macs(space.narrowest)[0]
    return float(1.0 - floor / full), ""


def _reasons(row: Row) -> str:
    reasons = (left.reason.partition(";")[0].partition(" (")[0] for left in row.space.left_out)
    counted = Counter(re.sub(r"'[^']*'", "another tensor", reason) for reason in reasons)
    counted.pop(OUTPUT, None)
    said = [f"{reason} ({count})" for reason, count in counted.most_common()]
    return "; ".join([*said, *([row.unpriced.partition(":")[0]] if row.unpriced else [])])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", default=(*FAMILIES, *TIMM))
    return parser.parse_args()


PAGE = """# Models

What the group finder makes of one network of each of torchvision's families, and of a sample of
timm's (`pip install 'autoprune[timm]'`), at 224 by 224 pixels or their own size. Every group found
was checked numerically: random units cut, against the network with these units masked. Then units
were cut from all groups at random, and the network ran, trained for two steps, and was exported to
ONNX, which computed the same.

    python -m benchmarks.zoo > docs/models.md

Seconds are those of finding and checking the groups, on one thread. `left out` counts
what stays whole, the output of the network among them. The last column is the fraction of
multiply-adds that the narrowest legal schedule saves.
"""


if __name__ == "__main__":
    main()
