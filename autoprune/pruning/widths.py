"""Legal widths of a group: in steps, or as rules for its layers say."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import replace

from autoprune.errors import InputError
from autoprune.pruning.space import LeftOut, PruningGroup, SearchSpace
from autoprune.rules import Rule

MAX_CHOICES = 16
BLOCK = 8


def legal_widths(units: int, divisor: int | None, min_keep: float) -> tuple[int, ...]:
    """At most 16 widths in ascending order; the last is ``units``.

    Without a divisor: multiples of 8, and every width below 8. Runtimes compute channels in blocks
    of 8 or 16; a width between costs what the next block costs, or more, where it keeps the layer
    from the blocked kernels altogether.
    """
    lowest = max(1, math.ceil(min_keep * units))
    step = divisor or BLOCK
    step *= math.ceil(units / (MAX_CHOICES * step))
    first = math.ceil(lowest / step) * step
    multiples = {*range(first, units, step), units}
    below = range(lowest, min(BLOCK, units)) if divisor is None else range(0)
    room = max(0, MAX_CHOICES - len(multiples))
    return tuple(sorted({*below[max(0, len(below) - room) :], *multiples}))


def legal_heads(heads: int, min_keep: float) -> tuple[int, ...]:
    """At most 16 numbers of heads, evenly spread, ascending; the last is ``heads``."""
    lowest = max(1, math.ceil(min_keep * heads))
    steps = min(MAX_CHOICES - 1, heads - lowest)
    below = (lowest + round(step * (heads - lowest) / steps) for step in range(steps))
    return (*below, heads)


def with_rules(
    space: SearchSpace,
    rules: Sequence[Rule],
    *,
    divisor: int | None,
    min_keep: float,
    heads: Container[str],
) -> SearchSpace:
    """``space`` with the widths that rules make legal; later rules win over earlier ones.

    Where the last rule of a group lists widths, these are legal. Otherwise the last divisor and the
    last smallest ratio that a rule gives count, and no list does.

    Args:
        divisor, min_keep: the job's, where no rule says another one.
        heads: names of the layers that make heads; those are counted singly.

    Raises:
        InputError: a rule's widths are not there in a group it applies to.
    """
    groups, left_out = [], list(space.left_out)
    for group in space.groups:
        applied = [rule for rule in rules if rule.matches(group.producers)]
        if not applied or applied[-1].widths is None:
            choices = _stepped(group, applied, divisor, min_keep, heads)
            groups.append(replace(group, choices=choices))
            continue
        choices = _listed(group, applied[-1])
        if choices == (group.units,):
            reason = f"kept whole by the rule for {applied[-1].layers!r}"
            left_out.append(LeftOut.of(group.producers, reason))
        else:
            groups.append(replace(group, choices=choices))
    return SearchSpace(tuple(groups), tuple(left_out))


def _stepped(
    group: PruningGroup,
    rules: Sequence[Rule],
    divisor: int | None,
    min_keep: float,
    heads: Container[str],
) -> tuple[int, ...]:
    divisor = next((rule.divisor for rule in reversed(rules) if rule.divisor), divisor)
    min_keep = next((rule.min_keep for rule in reversed(rules) if rule.min_keep), min_keep)
    if group.producers[0] in heads:
        return legal_heads(group.units, min_keep)
    return legal_widths(group.units, divisor, min_keep)


def _listed(group: PruningGroup, rule: Rule) -> tuple[int, ...]:
    widths, units = rule.widths, group.units
    if widths is None or widths == "full":
        return (units,)
    listed = widths if isinstance(widths, tuple) else (widths,)
    if listed[-1] > units:
        raise InputError(
            f"the rule for {rule.layers!r} lists the width {listed[-1]}, but group {group.name!r} "
            f"has {units} units: expected widths from 1 to {units}"
        )
    if not isinstance(widths, tuple) and widths < units:
        raise InputError(
            f"the rule for {rule.layers!r} fixes the width {widths} of group {group.name!r}, which "
            f"has {units} units: the full width is always legal. Give a list, as in "
            f"widths: [{widths}], or leave the group whole with widths: full"
        )
    return tuple(sorted({*listed, units}))
