"""From a spec to a frozen job: the budget in seconds, the problem, and the hashed ``what``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from autoprune.budget import Bound, describe
from autoprune.errors import BudgetInfeasibleError
from autoprune.evaluation.contract import EVALUATION_VERSION, Fidelity, Metric
from autoprune.evaluation.scoring import metric_code
from autoprune.jobs.subject import Subject
from autoprune.jobs.tables import PricedTable
from autoprune.pruning.cost import CostModel
from autoprune.pruning.criteria import unit_norms
from autoprune.spec import JobSpec
from autoprune.trials.records import Json
from searchers.base import Searcher
from searchers.contract import FloatArray, Group, LayerTraits, Load, Problem
from searchers.registry import make

WHAT_VERSION = 2


@dataclass(frozen=True)
class Plan:
    """A job with everything resolved.

    Args:
        priced: None when only MACs or parameters are bounded.
        limits: kind -> absolute bound, in seconds, multiply-adds or parameters.
        margin: fraction of the latency bound left free, from the calibration's held-out error.
    """

    spec: JobSpec
    subject: Subject
    priced: PricedTable
    cost: CostModel
    limits: dict[str, float]
    margin: float
    problem: Problem

    @property
    def fidelity(self) -> Fidelity:
        """Of a trial."""
        return Fidelity(**self.spec.fidelity.model_dump())

    @property
    def race(self) -> Fidelity:
        """Of a finalist."""
        fields = {**self.spec.fidelity.model_dump(), "steps": self.spec.steps_of_race}
        return Fidelity(**fields)

    @property
    def metric(self) -> Metric:
        """What trials are ranked by."""
        return Metric(self.spec.metric.name, self.spec.metric.best)

    def searcher(self) -> Searcher:
        """A fresh searcher."""
        return make(
            self.spec.searcher, self.problem, seed=self.spec.seed, **self.spec.searcher_options
        )

    def rung(self, fraction: float) -> Load:
        """The load that is 1 where the latency is this fraction of its budget as predicted.

        Bounds on MACs and parameters are exact: they hold whatever the fraction.
        """
        bounds = {k: v * fraction if k == "latency" else v for k, v in self.limits.items()}
        return _load(self.cost, bounds)

    def predict(self, schedules: Sequence[tuple[int, ...]]) -> list[Json]:
        """Latency in seconds, MACs and parameters of each schedule, by the cost model."""
        rows = np.array(schedules, dtype=np.float64)
        latency, macs, params = (
            self.cost.latency(rows),
            self.cost.macs(rows),
            self.cost.params(rows),
        )
        return [
            {"latency_s": float(s), "macs": int(m), "params": int(p)}
            for s, m, p in zip(latency, macs, params, strict=True)
        ]

    def what(self) -> Json:
        """Everything that decides the search, for hashing; no paths, no workers."""
        spec, subject = self.spec, self.subject
        return {
            "version": WHAT_VERSION,
            "weights": subject.weights_hash,
            "data": subject.data.digest,
            "structure": subject.structure,
            "groups": [
                {"name": g.name, "units": g.units, "choices": list(g.choices)}
                for g in subject.space.groups
            ],
            "table": self.priced.table.hash,
            "calibration": self.priced.calibration.hash,
            "limits": self.limits,
            "criterion": spec.criterion,
            "searcher": spec.searcher,
            "searcher_version": self.searcher().version,
            "searcher_options": spec.searcher_options,
            "trials": spec.trials,
            "seed": spec.seed,
            "lookahead": spec.lookahead,
            "metric": asdict(self.metric),
            "metric_code": metric_code(self.metric),
            "fidelity": self.fidelity.to_json(),
            "race": self.race.to_json(),
            "evaluation_version": EVALUATION_VERSION,
        }

    def scope(self, environment: str) -> Json:
        """What every evaluation of this job shares; part of each evaluation's key."""
        return {
            "weights": self.subject.weights_hash,
            "data": self.subject.data.digest,
            "structure": self.subject.structure,
            "criterion": self.spec.criterion,
            "metric": asdict(self.metric),
            "metric_code": metric_code(self.metric),
            "seed": self.spec.seed,
            "environment": environment,
            "version": EVALUATION_VERSION,
        }


def check_counts(spec: JobSpec, subject: Subject) -> None:
    """Refuse bounds on MACs and parameters that no schedule meets: they need no measurement."""
    cost = CostModel(subject.space, subject.network)
    full = np.array([[g.units for g in subject.space.groups]], dtype=np.float64)
    base = {"macs": float(cost.macs(full)[0]), "params": float(cost.params(full)[0])}
    _limits([bound for bound in spec.bounds if bound.kind in base], base, cost, subject)


def make_plan(spec: JobSpec, subject: Subject, priced: PricedTable) -> Plan:
    """Resolve the budget and build the problem; raises when no schedule can meet it."""
    cost = CostModel(subject.space, subject.network, priced.table, priced.calibration)
    full = np.array([[g.units for g in subject.space.groups]], dtype=np.float64)
    base = {
        "latency": priced.base_s,
        "macs": float(cost.macs(full)[0]),
        "params": float(cost.params(full)[0]),
    }
    limits = _limits(spec.bounds, base, cost, subject)
    margin = priced.calibration.margin
    aims = {k: v * (1.0 - margin) if k == "latency" else v for k, v in limits.items()}
    floor = np.array([[g.choices[0] for g in subject.space.groups]], dtype=np.float64)
    if "latency" in aims:  # the margin may not make a reachable budget unreachable
        aims["latency"] = max(aims["latency"], float(cost.latency(floor)[0]))
    return Plan(spec, subject, priced, cost, limits, margin, _problem(spec, subject, cost, aims))


def _problem(spec: JobSpec, subject: Subject, cost: CostModel, aims: dict[str, float]) -> Problem:
    norms = unit_norms(subject.model.state_dict(), subject.space)
    groups = tuple(
        Group(g.name, g.units, g.choices, norms.get(g.name), _traits(subject, g.producers[0]))
        for g in subject.space.groups
    )
    return Problem(groups, _load(cost, aims), spec.trials)


def _load(cost: CostModel, bounds: Mapping[str, float]) -> Load:
    """The largest of cost / bound."""
    costs = _costs(cost)

    def load(widths: FloatArray) -> FloatArray:
        parts = [costs[kind](widths) / bound for kind, bound in bounds.items()]
        worst: FloatArray = np.max(np.stack(parts), axis=0)
        return worst

    return load


def _traits(subject: Subject, layer: str) -> LayerTraits:
    module = subject.model.get_submodule(layer)
    weight = module.get_parameter("weight")
    stride = getattr(module, "stride", (0,))
    return LayerTraits(
        kind="conv" if weight.ndim == 4 else "linear",
        in_channels=weight.shape[1],
        out_channels=weight.shape[0],
        stride=int(stride[0]),
        kernel=weight.shape[-1] if weight.ndim == 4 else 1,
        weights=weight.numel(),
    )


def _costs(cost: CostModel) -> dict[str, Callable[[npt.ArrayLike], FloatArray]]:
    return {"latency": cost.latency, "macs": cost.macs, "params": cost.params}


def _limits(
    bounds: Sequence[Bound], base: Mapping[str, float], cost: CostModel, subject: Subject
) -> dict[str, float]:
    """Kind -> absolute bound; raises where nothing needs pruning, or no schedule meets it."""
    limits: dict[str, float] = {bound.kind: bound.resolve(base[bound.kind]) for bound in bounds}
    floor = np.array([[g.choices[0] for g in subject.space.groups]], dtype=np.float64)
    for bound in bounds:
        least = float(_costs(cost)[bound.kind](floor)[0])
        if least > limits[bound.kind]:
            raise _under_the_floor(bound, limits[bound.kind], least, base[bound.kind], cost)
    return limits


def _under_the_floor(
    bound: Bound, limit: float, least: float, base: float, cost: CostModel
) -> BudgetInfeasibleError:
    made_of = ""
    if bound.kind == "latency":
        terms = cost.explain_floor()[:4]
        made_of = "; what makes it up: " + ", ".join(
            f"{term.layer} ({term.operator}) {describe('latency', term.seconds)}" for term in terms
        )
    return BudgetInfeasibleError(
        f"budget {bound.text!r} ({describe(bound.kind, limit)}) is under the floor: the narrowest "
        f"legal network still costs {describe(bound.kind, least)}, {least / base:.0%} of the "
        f"unpruned one{made_of}. Raise the budget, or allow narrower layers with --min-keep"
    )
