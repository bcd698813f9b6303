"""What ranks the units inside a group, and the choice of units by it.

A criterion maps (state of the unpruned network, group) to scores [units]; the highest are kept.
One that needs the gradients of the training loss as well is a :class:`GradientCriterion`. Another
package adds either through the entry-point group ``autoprune.criteria``.
"""

from autoprune.pruning.criteria.choosing import Ranking, choose_units
from autoprune.pruning.criteria.contract import (
    Criterion,
    GradientCriterion,
    State,
    WeightCriterion,
)
from autoprune.pruning.criteria.magnitude import unit_norms
from autoprune.pruning.criteria.registry import (
    CRITERIA,
    ENTRY_POINTS,
    find_criterion,
    needs_gradients,
)

__all__ = [
    "CRITERIA",
    "ENTRY_POINTS",
    "Criterion",
    "GradientCriterion",
    "Ranking",
    "State",
    "WeightCriterion",
    "choose_units",
    "find_criterion",
    "needs_gradients",
    "unit_norms",
]
