"""What of other people's networks can be pruned: torchvision's classifiers and a sample of timm's.

    python -m benchmarks.zoo > docs/models.md
    python -m benchmarks.zoo --models torchvision:resnet18 timm:dla34
    python -m benchmarks.zoo --rows zoo.jsonl          # goes on where it was stopped

For each network: the groups are found and pre-flighted, random units are cut from all of them, the
result runs, trains for two steps, and is exported to ONNX, which must compute the same. Then the
unpruned and the narrowest network are timed in turns, as by ``autoprune check``.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
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
from latency_tables.lock import measuring_lock
from latency_tables.measuring import interleaved_times
from latency_tables.runtimes import runtime
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
ROUNDS = 15
"""Of timing the unpruned and the narrowest network."""
Line = dict[str, Any]
"""A row as it is printed and kept."""


@dataclass(frozen=True)
class Row:
    """What was found of one network.

    Args:
        seconds: for finding the groups, and for finding and checking them.
        macs: the fraction of multiply-adds that goes at the narrowest schedule; None where the cost
            model cannot price the network, which ``unpriced`` explains.
        units: in the groups found, and of those that a random schedule keeps.
        latency: the fraction of latency that goes at the narrowest schedule.
    """

    name: str
    space: SearchSpace
    seconds: float
    macs: float | None
    unpriced: str
    units: tuple[int, int]
    latency: float


def main() -> None:
    """Print a page in Markdown."""
    options = _options()
    lines = [_line(name, options.rows) for name in options.models]
    print(PAGE)
    head = [
        "network",
        "groups",
        "left out",
        "s",
        "multiply-adds that can go",
        "latency that can go",
    ]
    print(f"| {' | '.join(head)} |\n{'| --- ' * len(head)}|")
    for line in lines:
        macs = "not priced" if line["macs"] is None else f"{line['macs']:.0%}"
        counts = (line["network"], line["groups"], line["left_out"])
        cells = [*map(str, counts), f"{line['seconds']:.1f}", macs, f"{line['latency']:.0%}"]
        print(f"| {' | '.join(cells)} |")
    print("\n## Left out, and why\n")
    print("The output of the network, everywhere; and besides:\n")
    for line in lines:
        if line["reasons"]:
            print(f"- **{line['network']}**: {line['reasons']}.")


def _line(name: str, rows: Path | None) -> Line:
    """Of one network: kept from an earlier run, or found and kept."""
    texts = rows.read_text().splitlines() if rows is not None and rows.exists() else []
    kept: dict[str, Line] = {line["network"]: line for line in map(json.loads, texts)}
    if name not in kept:
        kept[name] = line_of(examine(name))
        if rows is not None:
            with rows.open("a") as file:
                file.write(json.dumps(kept[name]) + "\n")
    return kept[name]


def line_of(row: Row) -> Line:
    """What is printed of a row."""
    return {
        "network": row.name,
        "groups": len(row.space.groups),
        "left_out": len(row.space.left_out),
        "seconds": row.seconds,
        "macs": row.macs,
        "latency": row.latency,
        "reasons": _reasons(row),
    }


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
    latency = _prunable_latency(model, example, space)
    return Row(name, space, seconds, macs, unpriced, units, latency)


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


def _prunable_latency(model: nn.Module, example: torch.Tensor, space: SearchSpace) -> float:
    """As a fraction of the unpruned network's, whole networks on onnxruntime on one thread."""
    widths = space.named(space.narrowest)
    narrowest = prune(model, space, {name: torch.arange(width) for name, width in widths.items()})
    port = runtime("onnxruntime")
    runners = [port.network_runner(network.eval(), example, 1) for network in (model, narrowest)]
    with measuring_lock():
        times = interleaved_times(runners, rounds=ROUNDS)
    return float(1.0 - np.median(times[:, 1] / times[:, 0]))


def _reasons(row: Row) -> str:
    reasons = (left.reason.partition(";")[0].partition(" (")[0] for left in row.space.left_out)
    counted = Counter(re.sub(r"'[^']*'", "another tensor", reason) for reason in reasons)
    counted.pop(OUTPUT, None)
    said = [f"{reason} ({count})" for reason, count in counted.most_common()]
    return "; ".join([*said, *([row.unpriced.partition(":")[0]] if row.unpriced else [])])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", default=(*FAMILIES, *TIMM))
    parser.add_argument("--rows", type=Path, help="file that keeps what was found of each network")
    return parser.parse_args()


PAGE = """# Models

What the group finder makes of one network of each of torchvision's families, and of a sample of
timm's (extra `timm`), at 224 by 224 pixels or their own size. Every group found
was checked numerically: random units cut, against the network with these units masked. Then units
were cut from all groups at random, and the network ran, trained for two steps, and was exported to
ONNX, which computed the same.

    python -m benchmarks.zoo > docs/models.md

Seconds are those of finding and checking the groups, on one thread. `left out` counts what stays
whole, the output of the network among them. The last two columns are what the narrowest legal
schedule saves: of multiply-adds, as counted, and of latency. For the latency the unpruned and the
narrowest network were run as wholes, in turns, on ONNX Runtime with one thread and one image, on a
machine of two busy cores: the median of 15 ratios. They are good to a few points: vit_tiny and
deit_tiny of timm's are one architecture. No table was measured. `autoprune check` does the same for
a network, tries the narrowest ones of 8 and 16 channels too, which can be faster than fewer, and
tells the most as `prunable_latency_share`, with the data's own number of classes on the machine at
hand. A budget below what is left then is refused.

Heads of attention are units in torch's `MultiheadAttention`, in torchvision's Swin, Swin V2 and
MaxViT, and in timm's `Attention`, which ViT, DeiT and MobileViT build on, unless it has a gate or a
norm over all heads. timm's other networks with attention (its own Swin, BEiT, EVA and more) have a
class each, which holds the number of heads apart from the weights: without a replacement the number
of their heads stays, and so does the size of a head.
"""


if __name__ == "__main__":
    main()
