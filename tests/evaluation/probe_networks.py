"""Networks, images and an independent reckoning of what a probe must score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache

import torch
from torch import nn
from torch.nn import functional

from autoprune.data.dataset import Augmentation, Dataset, Split
from autoprune.evaluation.batches import ScoringBatches
from autoprune.evaluation.contract import Metric, Probe
from autoprune.evaluation.placement import arranged
from autoprune.evaluation.probing import Prober
from autoprune.models.registry import build_model
from autoprune.pruning.criteria import Ranking, choose_units
from autoprune.pruning.groups import find_groups
from autoprune.pruning.masking import masked_state
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import fit, prune

CLASSES = 10
PROBE = Probe(images=24)

computed: Counter[int] = Counter()
"""Calls of every :class:`CountedConv`, by its number of outputs."""


class CountedConv(nn.Conv2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        computed[self.out_channels] += 1
        return super().forward(x)


class Reused(nn.Module):
    """A layer that is called twice, changes in place, and operations that are no modules."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = CountedConv(3, 11, 3, padding=1)
        self.norm = nn.BatchNorm2d(11)
        self.shared = CountedConv(11, 11, 3, padding=1, bias=False)
        self.shared_norm = nn.BatchNorm2d(11)
        self.wide = CountedConv(11, 24, 1)
        self.plain = CountedConv(24, 12, 3, stride=2)
        self.last_norm = nn.BatchNorm2d(12)
        self.hidden = nn.Linear(12, 20)
        self.head = nn.Linear(20, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.norm(self.stem(x)), inplace=True)
        for _ in range(2):
            x = x + torch.relu_(self.shared_norm(self.shared(x)))
        x = functional.relu(self.wide(x), inplace=True)
        x = self.last_norm(torch.relu_(self.plain(x)))
        x = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.head(functional.relu(self.hidden(x)))


class Wearing(Reused):
    """Answers otherwise from one pass to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return super().forward(x + 0.1 * self.passes)


@cache
def network(name: str) -> nn.Module:
    """With random weights; tests must not change it."""
    torch.manual_seed(4)
    made = Reused() if name == "reused" else build_model(name, classes=CLASSES)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(0.5 + torch.rand(module.num_features, generator=generator))
                module.bias.copy_(0.3 * torch.randn(module.num_features, generator=generator))
                module.train().momentum = 1.0
        made(torch.rand(16, 3, 32, 32, generator=generator) - 0.5)
    return made.eval()


@cache
def space_of(name: str) -> SearchSpace:
    return find_groups(network(name), torch.rand(2, 3, 32, 32), min_keep=0.0)


def dataset(images: int = 30) -> Dataset:
    generator = torch.Generator().manual_seed(6)
    shape = (images, 3, 32, 32)
    pixels = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    split = Split(pixels, torch.arange(images) % CLASSES)
    classes = tuple(str(label) for label in range(CLASSES))
    half = (0.5, 0.5, 0.5)
    return Dataset("random", classes, split, split, None, half, half, Augmentation())


def ranking_of(name: str) -> Callable[[], Ranking]:
    return lambda: Ranking("l2", network(name).state_dict(), space_of(name))


def prober(name: str, memory_bytes: int = 2**30, metric: Metric = Metric()) -> Prober:  # noqa: B008
    return Prober(
        network(name),
        space_of(name),
        dataset(),
        ranking_of(name),
        metric=metric,
        memory_bytes=memory_bytes,
    )


def narrowed(name: str, *groups: str) -> dict[str, int]:
    """A schedule that is full but for these groups."""
    return {
        group.name: group.units // 3 if group.name in groups else group.units
        for group in space_of(name).groups
    }


def schedules(name: str, alone: int = 5) -> list[dict[str, int]]:
    """Some groups alone, over the whole depth; two together; none."""
    names = [group.name for group in space_of(name).groups]
    step = max(1, len(names) // alone)
    some = [narrowed(name, group) for group in names[::step]]
    return [*some, narrowed(name, names[-1], names[len(names) // 2]), narrowed(name)]


def masked_by_hand(name: str, widths: dict[str, int]) -> tuple[nn.Module, list[str]]:
    """The masked network, and the batch norms that come after its first changed layer."""
    base, space = network(name), space_of(name)
    state = base.state_dict()
    kept = choose_units("l2", state, space, widths)
    masked = dict(state)
    for group in space.groups:
        masked = masked_state(masked, group, kept[group.name])
    made = fit(base, masked)
    changed = {n.rpartition(".")[0] for n in masked if not torch.equal(masked[n], state[n])}
    called: list[str] = []
    for layer, module in made.named_modules():
        module.register_forward_pre_hook(lambda *_, layer=layer: called.append(layer))
    made(torch.rand(2, 3, 32, 32))
    first = min((called.index(layer) for layer in changed), default=len(called))
    norms = [
        layer
        for layer, module in made.named_modules()
        if isinstance(module, nn.BatchNorm2d) and called.index(layer) > first
    ]
    return fit(base, masked), norms


def loss_by_hand(model: nn.Module, norms: list[str], batch_size: int) -> float:
    """Mean cross-entropy with these batch norms on the statistics of the batch."""
    arranged(model.eval(), torch.channels_last)
    for layer in norms:
        norm = model.get_submodule(layer)
        norm.train().momentum = 0.0
    total, count = 0.0, 0
    with torch.no_grad():
        for images, labels in ScoringBatches(dataset(), "val", PROBE.images, batch_size):
            total += float(functional.cross_entropy(model(images), labels, reduction="sum"))
            count += len(labels)
    return total / count


def sliced(name: str, widths: dict[str, int]) -> nn.Module:
    base, space = network(name), space_of(name)
    return prune(base, space, choose_units("l2", base.state_dict(), space, widths))


def exact_scores(name: str, asked: list[dict[str, int]]) -> list[str]:
    """The bits of what this process scores these schedules, asked in this order."""
    torch.set_num_threads(1)
    scores = prober(name)
    return [float(scores.score(widths, PROBE).score).hex() for widths in asked]
