"""From a spec to a frozen job: the budget in seconds, the problem, and the hashed ``what``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autoprune.budget import latency_key
from autoprune.data.task_names import task_identity
from autoprune.evaluation.contract import EVALUATION_VERSION, Fidelity, Metric, Probe
from autoprune.evaluation.metrics import metric_code, metric_of
from autoprune.evaluation.recorded_outputs import Recorded
from autoprune.jobs.capacity import unseen_capacity
from autoprune.jobs.devices import Tables, hashes_of, primary_of
from autoprune.jobs.limits import (
    Yardstick,
    count_yardsticks,
    latency_yardsticks,
    loads_of,
    parts_of,
    resolve_limits,
)
from autoprune.jobs.start import NOTHING, Start
from autoprune.jobs.subject import Subject
from autoprune.jobs.tables import PricedTable
from autoprune.jobs.why import savings_by_table
from autoprune.pruning.cost import CostModel
from autoprune.pruning.criteria import unit_norms
from autoprune.pruning.space import PruningGroup
from autoprune.spec import JobSpec
from autoprune.trials.records import Json
from searchers.base import Searcher
from searchers.contract import Group, LayerTraits, Load, Problem
from searchers.registry import make, options_of

WHAT_VERSION = 3


@dataclass(frozen=True)
class Plan:
    """A job with everything resolved.

    Args:
        tables: by name, in the order of the budget; the only one has no name.
        primary: name of the table whose device finalists are measured on.
        costs: the cost model by each table.
        yardsticks: what can be bounded (``Bound.key``) -> what measures it.
        limits: what is bounded -> absolute bound, in seconds, multiply-adds or parameters.
        start: what another job taught this one.
        frozen_capacity: the solver's option that a stored job was submitted with: another final
            finetune later does not change what it searches.
        outputs: what the unpruned network put out when the job was submitted; None of a job of a
            version that did not record it, and where nothing can be compared.
    """

    spec: JobSpec
    subject: Subject
    tables: Tables
    primary: str
    costs: Mapping[str, CostModel]
    yardsticks: Mapping[str, Yardstick]
    limits: dict[str, float]
    problem: Problem
    start: Start = NOTHING
    frozen_capacity: float | None = None
    outputs: Recorded | None = None

    @property
    def priced(self) -> PricedTable:
        """The primary table."""
        return self.tables[self.primary]

    @property
    def cost(self) -> CostModel:
        """By the primary table."""
        return self.costs[self.primary]

    @property
    def margin(self) -> float:
        """Fraction of the primary latency bound left free."""
        return self.priced.calibration.margin

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
    def probe(self) -> Probe:
        """Of a searcher's probes."""
        return Probe(self.spec.probe_images)

    @property
    def metric(self) -> Metric:
        """What trials are ranked by."""
        return metric_of(self.spec.metric, self.subject.task)

    @property
    def capacity(self) -> float:
        """The solver's option of that name, unless another is given."""
        if self.frozen_capacity is not None:
            return self.frozen_capacity
        epoch = len(self.subject.data.train) / self.fidelity.batch_size
        trained = self.race.steps + self.spec.finetune_epochs * epoch
        given = self.spec.searcher_options.get("capacity")
        return unseen_capacity(self.fidelity.steps, trained) if given is None else float(given)

    @property
    def searcher_options(self) -> dict[str, Any]:
        """Those given, and for a searcher that counts capacity what its trials will not see."""
        given = self.spec.searcher_options
        counts = "capacity" in options_of(self.spec.searcher)
        return {**given, "capacity": self.capacity} if counts else given

    def searcher(self) -> Searcher:
        """A fresh searcher."""
        spec = self.spec
        return make(
            spec.searcher,
            self.problem,
            seed=spec.seed,
            warm_start=spec.warm_start,
            **self.start.options(spec.searcher, self.searcher_options),
        )

    def rung(self, fraction: float) -> Load:
        """The load that is 1 where the latency is this fraction of its budget as predicted.

        That of the device finalists are measured on: the bounds of other devices keep their margin,
        as nothing is measured there, and those on MACs and parameters are exact.
        """
        return loads_of(self.limits, self.yardsticks, {latency_key(self.primary): fraction})

    def predict(self, schedules: Sequence[tuple[int, ...]]) -> list[Json]:
        """Latency in seconds, MACs and parameters of each schedule, by the cost models."""
        rows = np.array(schedules, dtype=np.float64)
        latencies = {name: cost.latency(rows).tolist() for name, cost in self.costs.items()}
        counts = zip(self.cost.macs(rows), self.cost.params(rows), strict=True)
        predicted: list[Json] = []
        for row, (macs, params) in enumerate(counts):
            by_table = {name: seconds[row] for name, seconds in latencies.items()}
            of_all = {} if "" in by_table else {"latencies_s": by_table}
            counted = {"macs": int(macs), "params": int(params)}
            predicted.append({"latency_s": by_table[self.primary], **counted, **of_all})
        return predicted

    def explain(self, widths: tuple[int, ...]) -> list[Json]:
        """The time each group of a schedule saves, by each table."""
        return savings_by_table(self.subject.space, self.costs, widths)

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
            **hashes_of(self.tables),
            "limits": self.limits,
            "criterion": spec.criterion,
            "searcher": spec.searcher,
            "searcher_version": self.searcher().version,
            "searcher_options": self.searcher_options,
            "warm_start": spec.warm_start,
            "trials": spec.trials,
            "seed": spec.seed,
            "lookahead": spec.lookahead,
            **self._judged(),
            "fidelity": self.fidelity.to_json(),
            "race": self.race.to_json(),
            "probe": self.probe.to_json(),
            "evaluation_version": EVALUATION_VERSION,
            **self.start.what(),
        }

    def _judged(self) -> Json:
        """By what outputs are judged; a classification says nothing of a task."""
        metric, task = self.metric, self.subject.task
        judged = {"metric": asdict(metric), "metric_code": metric_code(metric, task)}
        return judged if task is None else {**judged, "task": task_identity(task)}

    def scope(self, environment: str) -> Json:
        """What every evaluation of this job shares; part of each evaluation's key.

        Two networks of the same weights and other code share no score: their outputs differ.
        """
        outputs = {} if self.outputs is None else {"outputs": self.outputs}
        return {
            **outputs,
            "weights": self.subject.weights_hash,
            "data": self.subject.data.digest,
            "structure": self.subject.structure,
            "criterion": self.spec.criterion,
            **self._judged(),
            "seed": self.spec.seed,
            "environment": environment,
            "version": EVALUATION_VERSION,
        }


def check_counts(spec: JobSpec, subject: Subject) -> None:
    """Refuse bounds on MACs and parameters that no schedule meets: they need no measurement."""
    counts = count_yardsticks(subject.space, CostModel(subject.space, subject.network))
    resolve_limits([bound for bound in spec.bounds if bound.key in counts], counts)


def make_plan(spec: JobSpec, subject: Subject, tables: Tables, primary: str | None = None) -> Plan:
    """Resolve the budget and build the problem; raises when no schedule can meet it.

    Args:
        primary: that of a stored job; None chooses one.
    """
    costs = {
        name: CostModel(subject.space, subject.network, priced.table, priced.calibration)
        for name, priced in tables.items()
    }
    primary = primary_of(tables) if primary is None else primary
    yardsticks = {
        **count_yardsticks(subject.space, costs[primary]),
        **latency_yardsticks(subject.space, tables, costs),
    }
    limits = resolve_limits(spec.bounds, yardsticks)
    problem = _problem(spec, subject, loads_of(limits, yardsticks), parts_of(limits, yardsticks))
    return Plan(spec, subject, tables, primary, costs, yardsticks, limits, problem)


def _problem(spec: JobSpec, subject: Subject, load: Load, parts: tuple[Load, ...]) -> Problem:
    norms = unit_norms(subject.model.state_dict(), subject.space)
    groups = tuple(
        Group(g.name, g.units, g.choices, norms.get(g.name), _traits(subject, g), len(g.producers))
        for g in subject.space.groups
    )
    return Problem(groups, load, spec.trials, parts)


def _traits(subject: Subject, group: PruningGroup) -> LayerTraits:
    layer, parameters = group.producers[0], dict(subject.model.named_parameters())
    module = subject.model.get_submodule(layer)
    # Not every weight is called so: torch's attention makes its heads by another one.
    made = (place.tensor for place in group.slices if place.role == "output")
    weight = next(parameters[name] for name in (f"{layer}.weight", *made) if name in parameters)
    stride = getattr(module, "stride", (0,))
    return LayerTraits(
        kind="conv" if weight.ndim == 4 else "linear",
        in_channels=weight.shape[1],
        out_channels=weight.shape[0],
        stride=int(stride[0]),
        kernel=weight.shape[-1] if weight.ndim == 4 else 1,
        weights=weight.numel(),
    )
