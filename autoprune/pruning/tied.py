"""Groups that a user wants to have the same width: one group of them all."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import torch

from autoprune.errors import InputError
from autoprune.pruning.space import IndexSlice, PruningGroup, SearchSpace


def with_tied(
    space: SearchSpace, tied: Sequence[Sequence[str]], heads: Container[str]
) -> SearchSpace:
    """``space`` with one group in place of those whose layers are tied.

    Unit i of one goes with unit i of the others, so that they are ranked together.

    Args:
        tied: lists of patterns over layer names; each list ties the groups it matches.
        heads: names of the layers that make heads.

    Raises:
        InputError: groups that cannot be tied, or fewer than two; says which and why.
    """
    groups = list(space.groups)
    for patterns in tied:
        members = [group for group in groups if _holds(group, patterns)]
        _check(patterns, members, space)
        _check_alike(members, heads)
        others = {group.name for group in members[1:]}
        joint = _joint(members)
        groups = [
            joint if group.name == joint.name else group
            for group in groups
            if group.name not in others
        ]
    return replace(space, groups=tuple(groups))


def _holds(group: PruningGroup, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(layer, pattern) for layer in group.producers for pattern in patterns)


def _check(patterns: Sequence[str], members: Sequence[PruningGroup], space: SearchSpace) -> None:
    said = f"tied [{', '.join(patterns)}]"
    for pattern in patterns:
        if not any(_holds(group, [pattern]) for group in members):
            whole = [left for left in space.left_out if fnmatchcase(left.name, pattern)]
            reasons = "".join(f"; {left.name} is left whole: {left.reason}" for left in whole)
            raise InputError(
                f"{said}: no group that can be pruned holds a layer like {pattern!r}{reasons}"
            )
    if len(members) < 2:
        raise InputError(
            f"{said}: expected layers of two groups at least, got those of "
            f"{members[0].name!r} alone, whose channels go together anyway"
        )


def _check_alike(members: Sequence[PruningGroup], heads: Container[str]) -> None:
    first = members[0]
    for other in members[1:]:
        if other.units != first.units:
            raise InputError(
                f"groups {first.name!r} with {first.units} units and {other.name!r} with "
                f"{other.units} units cannot be tied: expected equally many"
            )
        if (other.producers[0] in heads) != (first.producers[0] in heads):
            raise InputError(
                f"groups {first.name!r} and {other.name!r} cannot be tied: one counts heads, "
                "the other channels"
            )


def _joint(members: Sequence[PruningGroup]) -> PruningGroup:
    places: dict[tuple[str, int, str], IndexSlice] = {}
    for place in (place for group in members for place in group.slices):
        key = place.tensor, place.dim, place.role
        if key in places:  # as where one layer reads both groups, side by side
            both = torch.cat([places[key].index, place.index], dim=1).sort(dim=1).values
            place = replace(place, index=both)
        places[key] = place
    producers = dict.fromkeys(layer for group in members for layer in group.producers)
    return replace(members[0], slices=tuple(places.values()), producers=tuple(producers))
