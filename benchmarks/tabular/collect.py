"""What the tabular benchmark knows of a real network: evaluations, sensitivities, a latency table.

    python -m benchmarks.tabular.collect --network resnet20 --data imagefolder:DIR --weights FILE

Random schedules around three budgets are scored as trials are, every group is probed alone, and the
operators are measured on this machine. A loss is fitted to the scores, and all of it is written to
``networks/NAME.npz`` beside this file. Scores are kept in ``--folder`` as they come: a run that is
stopped goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from autoprune import composition
from autoprune.composition.running import make_executor
from autoprune.evaluation.contract import EvaluationRequest, Fidelity, Probe
from autoprune.evaluation.environment import environment_fingerprint
from autoprune.jobs.devices import obtain_all
from autoprune.jobs.executors.port import Executor
from autoprune.jobs.planning import Plan, make_plan
from autoprune.jobs.subject import load_subject
from autoprune.spec import JobSpec, make_spec
from benchmarks.tabular.fit import fit_losses
from benchmarks.tabular.landscape import Landscape, save_landscape
from searchers.projection import project
from searchers.solver.probes import UNPRUNED, planned, sensitivities
from searchers.solver.tables import TableSum, expand

MODELS = {
    "digits_cnn": "autoprune:digits_cnn",
    "mobilenet_v2": "torchvision:mobilenet_v2",
    "resnet20": "autoprune:resnet20",
    "resnet56": "autoprune:resnet56",
}
LOADS = (0.3, 0.5, 0.7)
"""Fractions of the unpruned latency that schedules are drawn around."""
PROBES = 3
"""Widths at which each group is probed."""
Widths = tuple[int, ...]


def main() -> None:
    """Measure, score and probe; then fit and write."""
    options = _options()
    plan = _plan(_spec(options))
    executor = make_executor(plan, environment_fingerprint(plan.spec.train_threads))
    scores = Scores(executor, plan, Path(options.folder) / f"{options.network}.txt")
    try:
        scored = scores.of(islice(drawn(plan), options.evaluations), plan.fidelity)
        probes = planned(plan.problem.groups, PROBES)
        rows = {probe: _alone(plan, *probe) for probe in probes}
        probed = scores.of(rows.values(), Probe())
    finally:
        executor.close()
    landscape = _landscape(
        options.network, plan, scored, {probe: probed[row] for probe, row in rows.items()}
    )
    print(landscape.facts)
    print(save_landscape(landscape))


def drawn(plan: Plan) -> Iterator[Widths]:
    """Schedules from near uniform to wild, with loads around :data:`LOADS`, without end."""
    rng = np.random.default_rng(0)
    full = plan.problem.full
    base = float(plan.problem.loads(full)[0])
    seen: set[Widths] = set()
    while True:
        spread = rng.uniform(0.0, 1.0)
        wanted = full * np.exp(rng.normal(size=len(full)) * spread)
        limit = max(base * rng.choice(LOADS) * rng.uniform(0.95, 1.05), 1.0)
        widths = project(plan.problem, np.minimum(wanted * 4.0, full), limit)
        if widths not in seen:
            seen.add(widths)
            yield widths


class Scores:
    """Losses of schedules, kept in a text file as they come.

    Args:
        executor: scores what is not known yet.
        plan: of the network.
        kept: one line for each score: kind, widths, loss.
    """

    def __init__(self, executor: Executor, plan: Plan, kept: Path) -> None:
        self._executor, self._plan, self._kept = executor, plan, kept
        self._known: dict[tuple[str, Widths], float] = {}
        for line in kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []:
            kind, *widths, loss = line.split()
            self._known[kind, tuple(map(int, widths))] = float(loss)

    def of(self, schedules: Iterable[Widths], fidelity: Fidelity | Probe) -> dict[Widths, float]:
        """The loss of each schedule that could be scored."""
        wanted = list(schedules)
        kind = type(fidelity).__name__
        waiting = {str(n): w for n, w in enumerate(wanted) if (kind, w) not in self._known}
        for ticket, widths in waiting.items():
            named = self._plan.subject.space.named(widths)
            self._executor.submit(ticket, EvaluationRequest(named, fidelity))
        while waiting:
            for done in self._executor.wait(5.0):
                if done.result is None:
                    raise SystemExit("a worker was lost: run this again, it goes on")
                self._keep(kind, waiting.pop(done.ticket), done.result.loss)
                if len(waiting) % 10 == 0:
                    print(f"{kind}: {len(waiting)} to do", flush=True)
        found = {widths: self._known[kind, widths] for widths in wanted}
        return {widths: loss for widths, loss in found.items() if np.isfinite(loss)}

    def _keep(self, kind: str, widths: Widths, loss: float | None) -> None:
        self._known[kind, widths] = np.nan if loss is None else loss
        with self._kept.open("a", encoding="utf-8") as file:
            print(kind, *widths, repr(self._known[kind, widths]), file=file)


def _alone(plan: Plan, group: int, width: int) -> Widths:
    """The unpruned schedule with one group narrowed."""
    widths = plan.problem.full.copy()
    if (group, width) != UNPRUNED:
        widths[group] = width
    return tuple(int(w) for w in widths)


def _landscape(
    name: str, plan: Plan, scored: Mapping[Widths, float], probed: Mapping[Any, float]
) -> Landscape:
    groups = plan.problem.groups
    latency = expand(groups, plan.cost.latency, plan.problem.full)
    chain = {(index, index + 1) for index in range(len(groups) - 1)}
    losses = np.array(list(scored.values()))
    log_loss, facts = fit_losses(
        groups, sorted({*latency.pairs, *chain}), np.array(list(scored)), losses
    )
    curves = sensitivities(groups, probed)
    if curves is None:
        raise SystemExit("the unpruned network or a whole group could not be probed")
    probes = TableSum(float(np.log(probed[UNPRUNED])), curves, {})
    origin = {"model": plan.spec.model, "base_ms": round(plan.priced.base_s * 1e3, 4)}
    return Landscape(name, groups, latency, log_loss, probes, {**origin, **facts})


def _plan(spec: JobSpec) -> Plan:
    subject = load_subject(spec, _silent)
    stores = composition.open_stores(spec.db)
    tables = obtain_all(spec, subject, lambda: stores.tables, _silent, stores.tables)
    return make_plan(spec, subject, tables)


def _silent(kind: str, payload: dict[str, Any]) -> None:
    if kind == "load":
        print(kind, payload, flush=True)


def _spec(options: argparse.Namespace) -> JobSpec:
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    values = {
        "model": MODELS[options.network],
        "data": options.data,
        "weights": options.weights,
        "budget": "30%",
        "workers": options.workers,
        "db": f"{options.folder}/benchmark.db",
    }
    return make_spec({key: value for key, value in values.items() if value is not None})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--network", choices=sorted(MODELS), required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", help="left out for digits_cnn, which trains itself")
    parser.add_argument("--evaluations", type=int, default=120)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--folder", default="benchmark-tabular")
    return parser.parse_args()


if __name__ == "__main__":
    main()
