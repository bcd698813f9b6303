"""What the probes of a network cost: suffix-only forward passes against whole ones.

Every group alone at three widths, one thread, random weights and images: neither changes how long a
pass takes. Both ways are timed in turns on each probe, and must score the same to the bit.

    python -m benchmarks.probe_cost --model autoprune:resnet56 --images 256
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence

import torch

from autoprune.evaluation.contract import Metric, Probe
from autoprune.evaluation.environment import prepare_training
from autoprune.evaluation.probing import MEMORY_BYTES, Prober
from autoprune.evaluation.scoring import Scores
from autoprune.models.registry import build_model
from autoprune.pruning.criteria import Ranking
from autoprune.pruning.groups import find_groups
from autoprune.pruning.space import SearchSpace
from benchmarks.evaluation_overhead import CLASSES, random_dataset


def schedules(space: SearchSpace) -> Iterator[dict[str, int]]:
    """Every group alone at its narrowest, a middle and its widest pruned width."""
    full = {group.name: group.units for group in space.groups}
    for group in space.groups:
        narrower = group.choices[:-1]
        for width in sorted({narrower[0], narrower[len(narrower) // 2], narrower[-1]}):
            yield {**full, group.name: width}


def timed(prober: Prober, widths: dict[str, int], probe: Probe) -> tuple[Scores, float]:
    """The scores of one probe, and its CPU seconds on this thread."""
    start = time.process_time()
    scores = prober.score(widths, probe)
    return scores, time.process_time() - start


def measure(model_name: str, images: int, memory_bytes: int) -> dict[str, object]:
    """CPU seconds of all probes both ways; what is recorded once is counted for the suffixes."""
    torch.manual_seed(0)
    dataset = random_dataset(train=CLASSES, val=images)
    model = build_model(model_name, classes=CLASSES).eval()
    space = find_groups(model, torch.rand(2, *dataset.input_shape))
    ranking = Ranking("l2", model.state_dict(), space)
    suffixes, wholes = (
        Prober(model, space, dataset, lambda: ranking, metric=Metric(), memory_bytes=memory)
        for memory in (memory_bytes, 0)
    )
    probe = Probe(images)
    asked = list(schedules(space))
    full = {group.name: group.units for group in space.groups}
    _, recording = timed(suffixes, full, probe)
    timed(wholes, full, probe)
    totals, differing = [0.0, 0.0], 0
    for widths in asked:
        suffix, suffix_s = timed(suffixes, widths, probe)
        whole, whole_s = timed(wholes, widths, probe)
        totals = [totals[0] + suffix_s, totals[1] + whole_s]
        differing += suffix != whole
    return {
        "model": model_name,
        "images": images,
        "threads": 1,
        "groups": len(space.groups),
        "probes": len(asked),
        "recording_s": recording,
        "suffix_s": totals[0] + recording,
        "whole_s": totals[1],
        "times_faster": totals[1] / (totals[0] + recording),
        "scores_that_differ": differing,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="autoprune:resnet56")
    parser.add_argument("--images", type=int, default=Probe().images)
    parser.add_argument("--memory-mib", type=int, default=MEMORY_BYTES // 2**20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    prepare_training(1)
    found = measure(options.model, options.images, options.memory_mib * 2**20)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        print(
            f"{found['model']}, {found['groups']} groups, {found['probes']} probes of "
            f"{found['images']} images, one thread: {found['suffix_s']:.1f} s with suffix-only "
            f"passes ({found['recording_s']:.1f} s of it to record), {found['whole_s']:.1f} s with "
            f"whole ones, {found['times_faster']:.2f} times; {found['scores_that_differ']} scores "
            "differ"
        )


if __name__ == "__main__":
    main()
