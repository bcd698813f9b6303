"""What the tabular benchmark knows of a real network: evaluations, sensitivities, a latency table.

    python -m benchmarks.tabular.collect --network resnet20 --data imagefolder:DIR --weights FILE

Random schedules around three budgets are scored as trials are, every group is probed alone, and the
operators are measured on this machine. What is found is written to ``networks/NAME.npz`` beside
this file; a run that is stopped goes on from its database. Without ``--weights`` the network is
trained first.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoprune import composition
from autoprune.cache import cache_folder
from autoprune.composition.jobs import make_executor
from autoprune.data.registry import load_data
from autoprune.evaluation.contract import EvaluationRequest, Fidelity
from autoprune.evaluation.environment import environment_fingerprint
from autoprune.evaluation.training import TrainingPlan, train
from autoprune.jobs.devices import obtain_all
from autoprune.jobs.executors.port import Executor
from autoprune.jobs.planning import Plan, make_plan
from autoprune.jobs.subject import load_subject, save_weights
from autoprune.models.registry import build_model
from autoprune.spec import JobSpec, make_spec
from searchers.projection import project

MODELS = {
    "resnet20": "autoprune:resnet20",
    "resnet56": "autoprune:resnet56",
    "mobilenet_v2": "torchvision:mobilenet_v2",
}
LOADS = (0.3, 0.5, 0.7)
"""Fractions of the unpruned latency that schedules are drawn around."""
TRAINING = TrainingPlan(epochs=4, batch_size=128, learning_rate=0.02, warmup=0.1)


def main() -> None:
    """Measure, score and probe; then write."""
    options = _options()
    spec = _spec(options)
    if options.train:
        train_weights(spec)
        return
    plan = _plan(spec)
    if options.measure:
        return
    executor = make_executor(plan, environment_fingerprint(spec.train_threads))
    try:
        schedules = draw(plan, options.evaluations)
        found = evaluate(executor, plan, schedules, plan.fidelity, options.folder)
    finally:
        executor.close()
    print(len(found))


def train_weights(spec: JobSpec) -> None:
    """Train the network from scratch and keep its weights."""
    data = load_data(spec.data, cache_dir=cache_folder())
    model = build_model(spec.model, classes=len(data.classes), input_shape=data.input_shape)

    def on_epoch(epoch: int, _checkpoint: bytes, loss: float) -> None:
        print(f"epoch {epoch} of {TRAINING.epochs}: loss {loss:.3f}", flush=True)

    trained = train(model, data, TRAINING, seed=0, on_epoch=on_epoch)
    save_weights(Path(spec.weights or ""), trained.state_dict())


def draw(plan: Plan, count: int) -> list[tuple[int, ...]]:
    """Schedules from near uniform to wild, with loads around :data:`LOADS`."""
    rng = np.random.default_rng(0)
    full = plan.problem.full
    base = float(plan.problem.loads(full)[0])
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < count:
        spread = rng.uniform(0.0, 1.0)
        wanted = full * np.exp(rng.normal(size=len(full)) * spread)
        limit = base * rng.choice(LOADS) * rng.uniform(0.95, 1.05)
        top = np.minimum(wanted * 4.0, full)
        drawn.setdefault(project(plan.problem, top, max(limit, 1.0)))
    return list(drawn)


def evaluate(
    executor: Executor,
    plan: Plan,
    schedules: list[tuple[int, ...]],
    fidelity: Fidelity,
    folder: str,
) -> npt.NDArray[np.float64]:
    """Losses and accuracies, [N, 2]; NaN where a score failed. Those in ``folder`` are known."""
    kept = Path(folder) / "evaluations.txt"
    known = {}
    if kept.exists():
        for line in kept.read_text().splitlines():
            *widths, loss, accuracy = line.split()
            known[tuple(map(int, widths))] = (float(loss), float(accuracy))
    waiting = {}
    for number, widths in enumerate(schedules):
        if widths not in known:
            waiting[str(number)] = widths
            named = plan.subject.space.named(widths)
            executor.submit(str(number), EvaluationRequest(named, fidelity))
    while waiting:
        for done in executor.wait(5.0):
            widths = waiting.pop(done.ticket)
            result = done.result
            if result is None:
                raise SystemExit("a worker was lost: run this again, it goes on")
            known[widths] = (result.loss or np.nan, result.accuracy or np.nan)
            with kept.open("a") as file:
                print(*widths, repr(known[widths][0]), repr(known[widths][1]), file=file)
            if len(waiting) % 10 == 0:
                print(f"{len(waiting)} to do", flush=True)
    return np.array([known[widths] for widths in schedules])


def _plan(spec: JobSpec) -> Plan:
    subject = load_subject(spec, _silent)
    stores = composition.open_stores(spec.db)
    tables = obtain_all(spec, subject, lambda: stores.tables, _silent, stores.tables)
    return make_plan(spec, subject, tables)


def _silent(kind: str, payload: dict[str, Any]) -> None:
    if kind in ("load", "noisy"):
        print(kind, payload, flush=True)


def _spec(options: argparse.Namespace) -> JobSpec:
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    return make_spec(
        {
            "model": MODELS[options.network],
            "data": options.data,
            "weights": options.weights,
            "budget": "30%",
            "workers": options.workers,
            "db": f"{options.folder}/benchmark.db",
            "train_threads": 1,
        }
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--network", choices=sorted(MODELS), required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--train", action="store_true", help="train the weights, nothing else")
    parser.add_argument("--measure", action="store_true", help="measure the table, nothing else")
    parser.add_argument("--evaluations", type=int, default=120)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--folder", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
