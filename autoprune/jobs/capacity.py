"""What scores after a short finetune leave out: how much a network can still learn."""

from __future__ import annotations

import math

_PER_E_FOLD = 0.06
"""See docs/algorithms/solver.md: what stored jobs of two networks say, and what searches did."""


def unseen_capacity(scored: float, trained: float) -> float:
    """The solver's ``capacity``: what narrow layers cost beyond what a trial's score shows.

    A short finetune repairs what pruning broke; how far a longer one gets is a matter of width. The
    logarithm of the loss after ``trained`` steps is that after ``scored`` steps, and for each
    further factor e in steps 0.06 times the mean over layers of the logarithm of how many times
    narrower they are.

    Args:
        scored: steps of a trial.
        trained: steps that the chosen network gets in all.
    """
    e_folds = math.log(max(trained, 1.0) / max(scored, 1.0))
    return round(_PER_E_FOLD * max(0.0, e_folds), 4)  # equal on every machine
