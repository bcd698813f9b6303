"""How far a latency table is off on whole networks it was not fitted to.

    python -m benchmarks.latency_error

For each network and runtime: measures a table, then whole networks of random schedules over the
full range of budgets, and predicts each from all the others. Every network runs twice in each
round, as if it were two: "repeats" is how far those two lie apart, which no table can undercut.
Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autoprune import composition
from autoprune.jobs.calibrating import CHECK_NETWORKS, calibrate
from autoprune.jobs.subject import Subject, make_subject
from autoprune.jobs.tables import measure_table
from autoprune.models.registry import build_model, default_input_shape
from autoprune.spec import JobSpec, make_spec

MODELS = ("autoprune:resnet56", "autoprune:vgg16_bn", "torchvision:mobilenet_v2")
RUNTIMES = ("onnxruntime", "torch")


@dataclass(frozen=True)
class Row:
    """One network on one runtime; errors as fractions, held out."""

    model: str
    runtime: str
    operators: int
    noisy: int
    table_s: float
    networks: int
    base_s: float
    mape: float
    bias: float
    worst: float
    spearman: float
    repeat_noise: float
    shares: dict[str, float]


def main() -> None:
    """Measure, and print one row for each network and runtime."""
    options = _options()
    rows = []
    for runtime in options.runtimes:
        for model in options.models:
            row = _row(model, runtime, options)
            rows.append(row)
            print(_line(row), file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(
            "| network | runtime | operators | table s | networks | base ms | MAPE | worst | bias "
            "| Spearman | repeats |\n|" + " --- |" * 11
        )
        print("\n".join(_line(row) for row in rows))


def _row(model: str, runtime: str, options: argparse.Namespace) -> Row:
    with tempfile.TemporaryDirectory(prefix="autoprune-") as folder:
        db = str(Path(folder) / "tables.db")
        spec = make_spec({"model": model, "runtime": runtime, "divisor": options.divisor, "db": db})
        subject = _subject(spec)
        tables = composition.open_stores(spec.db).tables
        started = time.monotonic()
        table = measure_table(spec, subject, tables, _say)
        seconds = time.monotonic() - started
        found = calibrate(subject, table, _say, options.networks)
    return Row(
        model=model.rpartition(":")[2],
        runtime=runtime,
        operators=len(table.entries),
        noisy=sum(entry.sample.noisy for entry in table.entries),
        table_s=seconds,
        networks=found.networks,
        base_s=found.runs[0].measured_s,
        mape=found.mape,
        bias=found.bias,
        worst=found.worst,
        spearman=found.spearman,
        repeat_noise=found.repeat_noise,
        shares=found.shares(),
    )


def _subject(spec: JobSpec) -> Subject:
    shape = default_input_shape(spec.model)
    if shape is None:
        raise SystemExit(f"the input shape of {spec.model} is not known: name another model")
    classes = 1000 if spec.model.startswith("torchvision:") else 10
    model = build_model(spec.model, classes=classes, input_shape=shape)
    return make_subject(spec, model, None, shape, _say)


def _line(row: Row) -> str:
    return (
        f"| {row.model} | {row.runtime} | {row.operators:,} | {row.table_s:.0f} | {row.networks} "
        f"| {row.base_s * 1e3:.2f} | {row.mape:.1%} | {row.worst:.1%} | {row.bias:+.1%} "
        f"| {row.spearman:.3f} | {row.repeat_noise:.1%} |"
    )


def _say(kind: str, payload: dict[str, Any]) -> None:
    """Progress is of no interest here."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--runtimes", nargs="+", default=RUNTIMES)
    parser.add_argument("--networks", type=int, default=CHECK_NETWORKS)
    parser.add_argument("--divisor", type=int, help="of the legal widths; default: in blocks")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
