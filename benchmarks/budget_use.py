"""Whether what is exported meets its budget, again and again, and how much of it is used.

    python -m benchmarks.budget_use --data imagefolder:DIR --weights FILE

Searches at several latency budgets over one table, exports, and verifies each bundle many times.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autoprune import composition
from autoprune.export.verify import verify
from autoprune.jobs.packaging import export_job
from autoprune.spec import make_spec

BUDGETS = ("30%", "50%", "70%")


@dataclass(frozen=True)
class Row:
    """One budget; ``used`` are measured latencies as fractions of it, one of each verification."""

    budget: str
    limit_s: float
    predicted: float
    exported: float
    used: list[float]
    within: int
    test_accuracy: float | None
    wall_s: float


def main() -> None:
    """Run the searches and verifications, and print one row for each budget."""
    options = _options()
    folder = Path(options.folder)
    folder.mkdir(exist_ok=True)
    rows = [_row(options, folder, budget) for budget in options.budgets]
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(
            "| budget | predicted | exported | verified, least | median | most | within | test "
            "accuracy | wall s |\n|" + " --- |" * 9
        )
        print("\n".join(_line(row) for row in rows))


def _row(options: argparse.Namespace, folder: Path, budget: str) -> Row:
    fields = ("model", "weights", "data", "searcher", "trials", "finetune_epochs", "workers")
    values = {name: getattr(options, name) for name in fields}
    spec = make_spec(
        {
            **{name: value for name, value in values.items() if value is not None},
            "budget": budget,
            "fidelity": {"steps": options.steps},
            "db": str(folder / "jobs.db"),
        }
    )
    started = time.monotonic()
    stores, job, plan = composition.submit(spec, _say)
    composition.run(stores, job, plan, _say)
    seconds = time.monotonic() - started
    bundle = folder / budget.strip("%")
    schedule = export_job(stores.trials, job, plan, bundle, overwrite=True)
    limit = schedule.budget.latency_s or 0.0
    used, within = [], 0
    for _ in range(options.repeats):
        measured = verify(bundle).measured
        if measured is None:
            raise SystemExit(f"{bundle} cannot be measured here: run 'autoprune verify {bundle}'")
        used.append(measured.latency_s / limit)
        within += measured.within_budget is True
    test = schedule.accuracy.test
    return Row(
        budget=budget,
        limit_s=limit,
        predicted=schedule.latency.predicted_s / limit,
        exported=(schedule.latency.measured_s or 0.0) / limit,
        used=used,
        within=within,
        test_accuracy=None if test is None else test.after,
        wall_s=seconds,
    )


def _line(row: Row) -> str:
    used = sorted(row.used)
    accuracy = "-" if row.test_accuracy is None else f"{row.test_accuracy:.1%}"
    return (
        f"| {row.budget} | {row.predicted:.1%} | {row.exported:.1%} | {used[0]:.1%} "
        f"| {used[len(used) // 2]:.1%} | {used[-1]:.1%} | {row.within} of {len(used)} "
        f"| {accuracy} | {row.wall_s:.0f} |"
    )


def _say(kind: str, payload: dict[str, Any]) -> None:
    if kind in ("submitted", "table ready", "measured", "stage"):
        shown = {key: value for key, value in payload.items() if key not in ("base", "left_out")}
        print(f"{time.strftime('%H:%M:%S')} {kind} {shown}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="autoprune:resnet20")
    parser.add_argument("--weights")
    parser.add_argument("--data", required=True)
    parser.add_argument("--budgets", nargs="+", default=BUDGETS)
    parser.add_argument("--searcher", default="legr")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--finetune-epochs", type=int, default=1)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--folder", default="benchmark-budget")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
