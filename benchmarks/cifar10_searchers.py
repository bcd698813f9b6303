"""Every searcher on one network and one table: accuracy, measured latency, time.

    python -m benchmarks.cifar10_searchers --data imagefolder:DIR --weights FILE --budgets 30% 50%

Each combination of budget, seed and searcher is one job in one database, on one pinned table; a run
that is stopped goes on where it was, and jobs of one seed share their scores. The exported bundles
are verified at the end, when nothing else is running. Prints a table in Markdown; ``--out`` keeps
the rows as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import Any

from autoprune import composition
from autoprune.export.verify import verify
from autoprune.jobs.packaging import export_job
from autoprune.jobs.subject import Subject, load_subject
from autoprune.jobs.summary import comparison, summarise_job
from autoprune.jobs.tables import measure_table, with_calibration
from autoprune.spec import JobSpec, make_spec

SEARCHERS = (
    "uniform",
    "global",
    "random",
    "solver",
    "portfolio",
    "tpe",
    "netadapt",
    "legr",
    "amc",
)


def main() -> None:
    """Run what is not in the database yet, then report."""
    options = _options()
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    wanted = product(options.budgets, options.seeds, options.searchers)
    specs = [_spec(options, *case) for case in wanted]
    rows = _run_all(specs, Path(options.folder))
    for row in rows:
        measured = verify(Path(row["bundle"])).measured
        row["verified_ratio"] = None if measured is None else measured.ratio
    if options.out:
        Path(options.out).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    _print(rows)


def _spec(options: argparse.Namespace, budget: str, seed: int, searcher: str) -> JobSpec:
    values = {
        "model": options.model,
        "weights": options.weights,
        "data": options.data,
        "budget": budget,
        "seed": seed,
        "searcher": searcher,
        "trials": options.trials,
        "fidelity": {"steps": options.steps},
        "finetune_epochs": options.epochs,
        "workers": options.workers,
        "unmeasured": options.unmeasured,
        "db": f"{options.folder}/benchmark.db",
    }
    return make_spec({key: value for key, value in values.items() if value is not None})


def _run_all(specs: list[JobSpec], folder: Path) -> list[dict[str, Any]]:
    """The row of each job; those that were run before are read."""
    notes = [folder / f"{s.searcher}-{s.budget[0].strip('%')}-{s.seed}.json" for s in specs]
    subject = load_subject(specs[0], _say)
    rows = []
    for spec, note in zip(specs, notes, strict=True):
        if not note.exists():
            note.write_text(json.dumps(_run(spec, subject, folder, note.stem)), encoding="utf-8")
        rows.append(json.loads(note.read_text(encoding="utf-8")))
    return rows


def _run(spec: JobSpec, subject: Subject, folder: Path, name: str) -> dict[str, Any]:
    """One job to its bundle."""
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
    bundle = folder / name
    export_job(stores.trials, job, plan, bundle, overwrite=True)
    shown = summarise_job(stores.trials, job)
    return {
        **comparison(stores.trials, job),
        "budget": spec.budget[0],
        "seed": spec.seed,
        "validation": shown["final"]["accuracy"]["validation"],
        "ranking": shown["ranking"],
        "probes": shown["probes"],
        "wall_s": seconds,
        "bundle": str(bundle),
    }


def _say(kind: str, payload: dict[str, Any]) -> None:
    if kind in ("submitted", "table ready", "measured", "stage"):
        shown = {key: value for key, value in payload.items() if key not in ("base", "left_out")}
        print(f"{time.strftime('%H:%M:%S')} {kind} {shown}", flush=True)


def _print(rows: list[dict[str, Any]]) -> None:
    columns = ["budget", "seed", "searcher", "trials", "val, searched", "test, searched"]
    columns += ["val, finetuned", "test, finetuned", "of base", "of base, verified"]
    columns += ["rank correlation", "wall s"]
    print(f"| {' | '.join(columns)} |\n|" + " --- |" * len(columns))
    for row in rows:
        validation, rho = row["validation"], row["ranking"]["spearman"]
        cells = [
            row["budget"],
            row["seed"],
            row["searcher"],
            row["trials"],
            f"{validation['after_search']:.1%}",
            f"{row['accuracy_after_search']:.1%}",
            f"{validation['after']:.1%}",
            f"{row['accuracy_after_finetune']:.1%}",
            _percent(row["measured_ratio"]),
            _percent(row["verified_ratio"]),
            "" if rho is None else f"{rho:.2f}",
            f"{row['wall_s']:.0f}",
        ]
        print(f"| {' | '.join(map(str, cells))} |")


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1%}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="autoprune:resnet20")
    parser.add_argument("--weights")
    parser.add_argument("--data", required=True)
    parser.add_argument("--budgets", nargs="+", default=["30%", "50%"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--searchers", nargs="+", default=SEARCHERS)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--workers", type=int)
    parser.add_argument(
        "--unmeasured", action="store_true", help="choose by predicted latency: on a busy machine"
    )
    parser.add_argument("--folder", default="benchmark-cifar10")
    parser.add_argument("--out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
