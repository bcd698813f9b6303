"""Every searcher on one network, one table and one budget: accuracy, measured latency, time.

    python -m benchmarks.cifar10_searchers --data imagefolder:DIR --weights FILE --out results.json

Each searcher is one job in one database (so the run can be stopped and started again), on one
pinned table; the exported bundles are verified at the end, when nothing else is running. Prints a
table in Markdown; ``--out`` keeps the rows as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from autoprune import composition
from autoprune.export.verify import verify
from autoprune.jobs.packaging import export_job
from autoprune.jobs.subject import load_subject
from autoprune.jobs.summary import comparison
from autoprune.jobs.tables import measure_table, with_calibration
from autoprune.spec import JobSpec, make_spec

SEARCHERS = ("uniform", "random", "amc", "netadapt", "legr", "tpe")


def main() -> None:
    """Run what is not in the database yet, then report."""
    options = _options()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_run(_spec(options, name), folder) for name in options.searchers]
    for row in rows:
        verified = verify(folder / row["searcher"])
        measured = verified.measured
        row["verified"] = verified.passes
        row["verified_ratio"] = None if measured is None else measured.ratio
    if options.out:
        Path(options.out).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    _print(rows)


def _spec(options: argparse.Namespace, searcher: str) -> JobSpec:
    values = {
        "model": options.model,
        "weights": options.weights,
        "data": options.data,
        "budget": options.budget,
        "searcher": searcher,
        "trials": options.trials,
        "fidelity": {"steps": options.steps},
        "finetune_epochs": options.epochs,
        "workers": options.workers,
        "db": f"{options.folder}/benchmark.db",
    }
    return make_spec({key: value for key, value in values.items() if value is not None})


def _run(spec: JobSpec, folder: Path) -> dict[str, Any]:
    """One job from wherever it stands to its bundle."""
    note = folder / f"{spec.searcher}.json"
    if note.exists():
        row: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        return row
    subject = load_subject(spec, _say)
    table = folder / "table.hash"
    if not table.exists():
        tables = composition.open_stores(spec.db).tables
        measured = measure_table(spec, subject, tables, _say)
        with_calibration(subject, measured, tables, _say)
        table.write_text(measured.hash, encoding="utf-8")
    spec = spec.model_copy(update={"table": table.read_text(encoding="utf-8")})
    started = time.monotonic()
    stores, job, plan = composition.submit(spec, _say, subject)
    composition.run(stores, job, plan, _say)
    seconds = time.monotonic() - started
    export_job(stores.trials, job, plan, folder / spec.searcher, overwrite=True)
    row = {**comparison(stores.trials, job), "wall_s": seconds}
    note.write_text(json.dumps(row), encoding="utf-8")
    return row


def _say(kind: str, payload: dict[str, Any]) -> None:
    if kind in ("submitted", "table ready", "measured", "stage"):
        shown = {key: value for key, value in payload.items() if key not in ("base", "left_out")}
        print(f"{time.strftime('%H:%M:%S')} {kind} {shown}", flush=True)


def _print(rows: list[dict[str, Any]]) -> None:
    print(
        "| searcher | trials | test, unpruned | after search | after finetune | measured ms "
        "| of base | of base, verified | wall s | s per trial |\n|" + " --- |" * 10
    )
    for row in rows:
        print(
            f"| {row['searcher']} | {row['trials']} | {row['accuracy_base']:.1%} "
            f"| {row['accuracy_after_search']:.1%} | {row['accuracy_after_finetune']:.1%} "
            f"| {row['measured_latency_s'] * 1e3:.3f} | {row['measured_ratio']:.1%} "
            f"| {row['verified_ratio']:.1%} | {row['wall_s']:.0f} "
            f"| {row['seconds_per_trial']:.1f} |"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="autoprune:resnet20")
    parser.add_argument("--weights")
    parser.add_argument("--data", required=True)
    parser.add_argument("--budget", default="50%")
    parser.add_argument("--searchers", nargs="+", default=SEARCHERS)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--folder", default="benchmark-cifar10")
    parser.add_argument("--out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
