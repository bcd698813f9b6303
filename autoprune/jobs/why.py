"""Why a schedule is faster: the time each group saves, as plain data that a job keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoprune.pruning.cost import CostModel
from autoprune.pruning.space import SearchSpace
from autoprune.trials.records import Json


def savings_by_table(
    space: SearchSpace, costs: Mapping[str, CostModel], widths: Sequence[int]
) -> list[Json]:
    """For each table, what every group saves, by :meth:`CostModel.savings`.

    Returns:
        ``[{table, saved_s, groups: [{group, layers, units, width, saved_s, share}],
        layer_shares: {layer: share}}]``: table is None where it has no name, layers are those whose
        outputs the group is, share is of all that is saved; groups in network order. Layer shares
        are of the schedule's own operators.
    """
    return [
        {
            "table": name or None,
            **_savings(space, cost, widths),
            "layer_shares": cost.layer_shares(widths),
        }
        for name, cost in costs.items()
    ]


def _savings(space: SearchSpace, cost: CostModel, widths: Sequence[int]) -> Json:
    saved = [float(seconds) for seconds in cost.savings(widths)[0]]
    total = sum(saved)
    return {
        "saved_s": total,
        "groups": [
            {
                "group": group.name,
                "layers": list(group.producers),
                "units": group.units,
                "width": int(width),
                "saved_s": seconds,
                "share": seconds / total if total else 0.0,
            }
            for group, width, seconds in zip(space.groups, widths, saved, strict=True)
        ],
    }
