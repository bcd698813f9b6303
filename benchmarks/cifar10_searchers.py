"""Every searcher on one network and one table: accuracy, measured latency, time.

    python -m benchmarks.cifar10_searchers --data imagefolder:DIR --weights FILE --budgets 30% 50%

Each combination of budget, seed and searcher is one job in one database, on one pinned table; a run
that is stopped goes on where it was, and jobs of one seed share their scores. The exported bundles
are verified at the end, when nothing else is running. Prints a table in Markdown; ``--out`` keeps
the rows as JSON, of which benchmarks.cifar10_report makes one table and a plot. On a GPU,
``--train-device cuda --at-once 8`` runs eight jobs beside each other. ``--table FILE`` takes a
table that was measured before, as those in benchmarks/tables; where it is another machine's, take
``--unmeasured --unverified`` too. Without a searcher (``--searchers``) only the table is measured.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product, repeat
from pathlib import Path
from typing import Any

from autoprune import composition
from autoprune.export.verify import verify
from autoprune.jobs.keys import hash_of
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
_TABLE = "table.hash"
_SUBJECT: list[Subject] = []


def main() -> None:
    """Run what is not in the database yet, then report."""
    options = _options()
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    wanted = product(options.budgets, options.seeds, options.searchers)
    specs = [_spec(options, *case) for case in wanted]
    folder = Path(options.folder)
    if not (folder / _TABLE).exists():
        spec = _spec(options, options.budgets[0], 0, "uniform")
        found = _stored(options.table, spec.db) if options.table else _measured(spec)
        (folder / _TABLE).write_text(found, encoding="utf-8")
    rows = _run_all(specs, folder, options.at_once)
    for row in rows:
        measured = None if options.unverified else verify(Path(row["bundle"])).measured
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
        "searcher_options": json.loads(options.searcher_options),
        "trials": options.trials,
        "fidelity": {"steps": options.steps},
        "finetune_epochs": options.epochs,
        "workers": options.workers,
        "train_device": options.train_device,
        "unmeasured": options.unmeasured,
        "db": f"{options.folder}/benchmark.db",
    }
    return make_spec({key: value for key, value in values.items() if value is not None})


def _run_all(specs: list[JobSpec], folder: Path, at_once: int) -> list[dict[str, Any]]:
    """The row of each job; those that were run before are read."""
    if at_once == 1:
        return [_row(spec, folder) for spec in specs]
    processes = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, mp_context=processes) as pool:
        return list(pool.map(_row, specs, repeat(folder)))


def _row(spec: JobSpec, folder: Path) -> dict[str, Any]:
    options = hash_of([spec.searcher_options, spec.trials, spec.finetune_epochs, spec.train_device])
    of = f"{spec.searcher}-{spec.budget[0].strip('%')}-{spec.seed}-{spec.fidelity.steps}"
    note = folder / f"{of}-{options[:6]}.json"
    if not note.exists():
        row = _run(spec, _subject(spec), folder, note.stem)
        note.write_text(json.dumps(row), encoding="utf-8")
    found: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    return found


def _subject(spec: JobSpec) -> Subject:
    """The network and the data, which all jobs share: loaded once in each process."""
    if not _SUBJECT:
        _SUBJECT.append(load_subject(spec, _say))
    return _SUBJECT[0]


def _measured(spec: JobSpec) -> str:
    """The hash of a new table."""
    tables = composition.open_stores(spec.db).tables
    measured = measure_table(spec, _subject(spec), tables, _say)
    with_calibration(_subject(spec), measured, tables, _say)
    return measured.hash


def _stored(path: Path, db: str) -> str:
    """The hash of the table in a file, which may be compressed; it is in the database then."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "table.json"
        packed = path.read_bytes()
        plain.write_bytes(gzip.decompress(packed) if path.suffix == ".gz" else packed)
        return composition.import_table(plain, db)[0].hash


def _run(spec: JobSpec, subject: Subject, folder: Path, name: str) -> dict[str, Any]:
    """One job to its bundle."""
    spec = spec.model_copy(update={"table": (folder / _TABLE).read_text(encoding="utf-8")})
    started = time.monotonic()
    stores, job, plan = composition.submit(spec, _say, subject)
    composition.run(stores, job, plan, _say)
    seconds = time.monotonic() - started
    bundle = folder / name
    export_job(stores.trials, job, plan, bundle, overwrite=True)
    shown = summarise_job(stores.trials, job)
    return {
        **comparison(stores.trials, job),
        "model": spec.model,
        "searcher_options": spec.searcher_options,
        "trained_on": spec.train_device.partition(":")[0],
        "latency_of": _processor(spec),
        "budget": spec.budget[0],
        "seed": spec.seed,
        "validation": shown["final"]["accuracy"]["validation"],
        "ranking": shown["ranking"],
        "probes": shown["probes"],
        "wall_s": seconds,
        "bundle": str(bundle),
    }


def _processor(spec: JobSpec) -> str:
    """Whose latency the job's table is."""
    table = composition.open_stores(spec.db).tables.table(str(spec.table))
    return "" if table is None else str(table["context"]["device"]["processor"])


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
    parser.add_argument("--table", type=Path, help="file of 'autoprune latency export', or .gz")
    parser.add_argument("--budgets", nargs="+", default=["30%", "50%"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--searchers", nargs="*", default=SEARCHERS)
    parser.add_argument("--searcher-options", default="{}", help="JSON")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--workers", type=int)
    parser.add_argument(
        "--unmeasured", action="store_true", help="choose by predicted latency: on a busy machine"
    )
    parser.add_argument("--train-device")
    parser.add_argument("--at-once", type=int, default=1, help="jobs beside each other")
    parser.add_argument(
        "--unverified",
        action="store_true",
        help="measure no bundle at the end: the table's device is elsewhere",
    )
    parser.add_argument("--folder", default="benchmark-cifar10")
    parser.add_argument("--out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
