"""Find the groups of a model that can be pruned."""

from __future__ import annotations

from collections.abc import Container, Sequence
from fnmatch import fnmatchcase
from itertools import chain, count

import torch
from torch import nn

from autoprune.errors import ModelError
from autoprune.pruning.dependencies.finder import find_dependencies
from autoprune.pruning.dependencies.grouping import Found
from autoprune.pruning.heads import head_layers, with_heads
from autoprune.pruning.preflight import preflight
from autoprune.pruning.space import LeftOut, PruningGroup, SearchSpace
from autoprune.pruning.tied import with_tied
from autoprune.pruning.widths import legal_widths, with_rules
from autoprune.rules import Rule

_LOOSEN = (
    "Loosen what is left alone (--ignore), the --divisor, the smallest keep ratio (--min-keep) or "
    "the rules"
)
_IN_THE_NETWORK = "This is so whatever the options: it lies in the network's layers and forward"


def find_groups(
    model: nn.Module,
    example_input: torch.Tensor,
    *,
    ignore: Sequence[str] = (),
    divisor: int | None = None,
    min_keep: float = 0.1,
    rules: Sequence[Rule] = (),
    tied: Sequence[Sequence[str]] = (),
    seed: int = 0,
) -> SearchSpace:
    """Groups in network order, each one checked numerically against the masked network.

    Args:
        model: on the CPU; it is left untouched.
        example_input: [N, ...] as the model takes it.
        ignore: patterns (``layer1.*``) over layer names; the outputs of these are not pruned.
        divisor: widths are multiples of it, besides the full width; see
            :func:`autoprune.pruning.widths.legal_widths`. Heads of attention are counted singly.
        min_keep: smallest fraction of a group's units that may be kept.
        rules: other widths for the groups of single layers; the last one that applies wins.
        tied: lists of patterns; the groups that one list matches become one.
        seed: of the pre-flight's index sets.

    Raises:
        ModelError: the model cannot be run or exported, a pattern matches no layer, or no
            group is left.
    """
    if not 0.0 <= min_keep <= 1.0 or (divisor is not None and divisor < 1):
        raise ModelError(
            "expected min_keep in [0, 1] and a divisor of at least 1, "
            f"got min_keep={min_keep}, divisor={divisor}"
        )
    found = find_dependencies(model, example_input)
    heads = head_layers(model)
    layers = tuple(dict.fromkeys((*found.layers, *heads)))
    _check_patterns("ignore", ignore, layers)
    _check_patterns("rules", [rule.layers for rule in rules], layers)
    _check_patterns("tied", tuple(chain.from_iterable(tied)), layers)
    chosen = _chosen(found.channels, ignore, divisor, min_keep)
    chosen = with_heads(chosen, model, found.layers, ignore=ignore, min_keep=min_keep)
    if tied:  # a group that is unsound by itself is told before it is hidden among others
        chosen = with_tied(preflight(model, example_input, chosen, seed=seed), tied, heads)
    chosen = with_rules(chosen, rules, divisor=divisor, min_keep=min_keep, heads=heads)
    space = preflight(model, example_input, chosen, seed=seed)
    if not any(len(group.choices) > 1 for group in space.groups):
        reasons = "; ".join(f"{left.name}: {left.reason}" for left in space.left_out)
        raise ModelError(
            f"nothing of {type(model).__name__} can be pruned: "
            f"{reasons or 'every group has one legal width'}. "
            + (_LOOSEN if space.groups or ignore or rules else _IN_THE_NETWORK)
        )
    return space


def _check_patterns(field: str, patterns: Sequence[str], layers: Sequence[str]) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(layer, pattern) for layer in layers):
            raise ModelError(
                f"{field}: the pattern {pattern!r} matches no layer; there is: {', '.join(layers)}"
            )


def _chosen(
    found: Sequence[Found], ignore: Sequence[str], divisor: int | None, min_keep: float
) -> SearchSpace:
    groups: dict[str, PruningGroup] = {}
    left_out: list[LeftOut] = []
    for each in found:
        reason = each.reason or _unwanted(each.producers, ignore)
        if reason is not None:
            left_out.append(LeftOut.of(each.producers, reason))
            continue
        choices = legal_widths(each.units, divisor, min_keep)
        name = _unused(each.producers[0], groups)
        groups[name] = PruningGroup(name, each.units, choices, each.slices, each.producers)
    return SearchSpace(tuple(groups.values()), tuple(left_out))


def _unused(name: str, taken: Container[str]) -> str:
    """A layer's channels may be several groups; those after the first are numbered."""
    names = (name if number == 1 else f"{name}#{number}" for number in count(1))
    return next(each for each in names if each not in taken)


def _unwanted(producers: Sequence[str], ignore: Sequence[str]) -> str | None:
    for pattern in ignore:
        for name in producers:
            if fnmatchcase(name, pattern):
                return f"layer {name!r} is excluded by the pattern {pattern!r}"
    return None
