"""The contract between a searcher and whoever runs it.

What a searcher needs of the world arrives in one frozen :class:`Problem`; what it says back is a
:class:`Suggestion`, :class:`Wait` or :class:`Done`; what it is told is an :class:`Outcome`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Purpose = Literal["candidate", "step", "probe"]

Load = Callable[[npt.NDArray[np.float64]], FloatArray]
"""Widths [N, G] (units kept) -> load [N]: the largest of cost / bound over the budget's bounds."""


class SearcherError(Exception):
    """A searcher was used against its contract, or given a problem it cannot search."""


class ProblemError(SearcherError):
    """The problem cannot be searched: no choice is left, or no schedule meets the budget."""


class MisuseError(SearcherError):
    """An ask, tell or restore broke the call order; the searcher's state is untouched."""


@dataclass(frozen=True)
class LayerTraits:
    """What AMC's state vector says about the layer that produces a group's channels."""

    kind: Literal["conv", "linear"]
    in_channels: int
    out_channels: int
    stride: int
    kernel: int
    weights: int


@dataclass(frozen=True)
class Group:
    """Channels that are pruned together.

    Args:
        name: unique within the problem.
        units: width of the unpruned network.
        choices: legal widths in ascending order; the last is ``units``.
        unit_norms: squared L2 norm of every unit, summed over tied layers; shape [units].
        traits: of the layer that produces the channels.
        layers: how many layers produce them: more than one where outputs are added.
    """

    name: str
    units: int
    choices: tuple[int, ...]
    unit_norms: FloatArray | None = field(default=None, compare=False)
    traits: LayerTraits | None = None
    layers: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        legal = bool(self.choices) and list(self.choices) == sorted(set(self.choices))
        if not legal or self.choices[0] < 1 or self.choices[-1] != self.units:
            raise ProblemError(
                f"group {self.name!r}: choices must ascend from at least 1 to units={self.units}, "
                f"got {self.choices}"
            )
        if self.unit_norms is not None and self.unit_norms.shape != (self.units,):
            raise ProblemError(
                f"group {self.name!r}: unit_norms must have shape ({self.units},), "
                f"got {self.unit_norms.shape}"
            )


@dataclass(frozen=True)
class Problem:
    """A search space, its cost and its budget.

    Args:
        groups: in the order of the network.
        load: vectorised; a schedule is feasible when its load is at most 1.
        trials: how many candidates and steps may be asked for.
        parts: the loads of single bounds where there are several, whose largest is ``load``; for
            searchers that model the cost, to which a maximum is opaque.
    """

    groups: tuple[Group, ...]
    load: Load = field(compare=False)
    trials: int
    parts: tuple[Load, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        names = [group.name for group in self.groups]
        if len(set(names)) != len(names):
            raise ProblemError(f"group names must be unique, got {names}")
        if not any(len(group.choices) > 1 for group in self.groups):
            raise ProblemError("there is nothing to search: every group has one legal width")
        if self.trials < 1:
            raise ProblemError(f"trials must be at least 1, got {self.trials}")
        floor = float(self.load(self.floor[None, :].astype(np.float64))[0])
        if not floor <= 1.0:
            raise ProblemError(
                f"no schedule meets the budget: the narrowest one costs {floor:.3f} of it; "
                "raise the budget or lower the smallest legal widths"
            )

    @cached_property
    def full(self) -> IntArray:
        """Widths of the unpruned network, [G]."""
        return np.array([group.units for group in self.groups], dtype=np.int64)

    @cached_property
    def floor(self) -> IntArray:
        """The smallest legal widths, [G]."""
        return np.array([group.choices[0] for group in self.groups], dtype=np.int64)

    def loads(self, widths: npt.ArrayLike) -> FloatArray:
        """Load of each row of ``widths`` [N, G]; shape [N]."""
        rows = np.atleast_2d(np.asarray(widths, dtype=np.float64))
        return np.asarray(self.load(rows), dtype=np.float64)

    def feasible(self, widths: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each row of ``widths`` [N, G] meets every bound; shape [N]."""
        return self.loads(widths) <= 1.0

    def check_legal(self, widths: tuple[int, ...]) -> None:
        """Raise :class:`MisuseError` unless every width is one of its group's choices."""
        if len(widths) != len(self.groups):
            raise MisuseError(f"expected {len(self.groups)} widths, got {len(widths)}")
        for group, width in zip(self.groups, widths, strict=True):
            if width not in group.choices:
                raise MisuseError(
                    f"group {group.name!r}: width {width} is not one of {group.choices}"
                )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of groups, trials and the load at fixed probes: tells problems apart on restore."""
        rng = np.random.default_rng(0)
        probes = np.stack(
            [self.full, self.floor]
            + [np.array([rng.choice(group.choices) for group in self.groups]) for _ in range(6)]
        )
        said = {
            "groups": [[g.name, g.units, list(g.choices)] for g in self.groups],
            "trials": self.trials,
            "loads": [float(f"{load:.9g}") for load in self.loads(probes)],
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Suggestion:
    """One schedule to score.

    Args:
        id: the trial's index: how many suggestions were made before it.
        widths: legal, one per group.
        purpose: ``candidate`` is within budget and may become a finalist; ``step`` is on the way;
            ``probe`` is a measurement of the searcher's own, of the base weights: it may be over
            budget, and is not counted as a trial.
        start_from: id of the trial whose weights it starts from; None means the base weights.
    """

    id: int
    widths: tuple[int, ...]
    purpose: Purpose = "candidate"
    start_from: int | None = None


@dataclass(frozen=True)
class Wait:
    """Nothing to suggest until a pending suggestion is told."""


@dataclass(frozen=True)
class Done:
    """Nothing more to suggest, ever."""


@dataclass(frozen=True)
class Outcome:
    """What scoring a suggestion gave.

    Args:
        loss: what is minimised (a score to be maximised arrives negated); None for a failure.
        accuracy: fraction in [0, 1] where the task has one; NaN makes the trial a failure.
    """

    loss: float | None
    accuracy: float | None = None

    @property
    def failed(self) -> bool:
        """Whether the trial has no usable score."""
        if self.loss is None or not np.isfinite(self.loss):
            return True
        return self.accuracy is not None and not np.isfinite(self.accuracy)


@dataclass(frozen=True)
class SearcherState:
    """A searcher's state as data: JSON values and named arrays, no pickle."""

    searcher: str
    version: int
    problem: str
    values: Mapping[str, object]
    arrays: Mapping[str, npt.NDArray[np.generic]]
