"""`autoprune latency`: measure, show and check latency tables."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, AsJson, Db
from autoprune.cli.output import milliseconds, print_json, print_table, say
from autoprune.cli.progress import shown_progress
from autoprune.errors import InputError
from autoprune.jobs.admission import stored_tables
from autoprune.jobs.tables import PricedTable, all_tables, find_table
from autoprune.spec import make_spec
from latency_tables.calibration import Calibration
from latency_tables.storage import save

app = typer.Typer(help="Measure, show and check latency tables.", no_args_is_help=True)
Model = Annotated[str, typer.Option("--model", help="Network whose operators are wanted.")]
Shape = Annotated[str | None, typer.Option("--input", help="Shape of one image, as in 3x224x224.")]
Classes = Annotated[int, typer.Option("--classes", help="Outputs of the classifier.")]
Runtime = Annotated[str, typer.Option("--runtime", help="onnxruntime or torch.")]
Batch = Annotated[int, typer.Option("--batch", help="Images per inference.")]
Threads = Annotated[int, typer.Option("--threads", help="Threads of an inference.")]
Divisor = Annotated[int | None, typer.Option("--divisor", help="As the search will use it.")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", help="As the search will use it.")]
MinKeep = Annotated[float, typer.Option("--min-keep", help="As the search will use it.")]
TABLE_HELP = "A table file, or the hash of a table in the database."


@app.command("measure")
def measure(
    model: Model,
    db: Db = DEFAULT_DB,
    out: Annotated[Path | None, typer.Option("--out", help="Also write one portable file.")] = None,
    input_shape: Shape = None,
    classes: Classes = 10,
    runtime: Runtime = "onnxruntime",
    batch: Batch = 1,
    threads: Threads = 1,
    divisor: Divisor = None,
    min_keep: MinKeep = 0.1,
    ignore: Ignore = None,
    as_json: AsJson = False,
) -> None:
    """Measure the operators a network needs on this machine, and calibrate on whole networks."""
    spec = make_spec(
        {
            "model": model,
            "runtime": runtime,
            "batch": batch,
            "threads": threads,
            "db": db,
            "divisor": divisor,
            "min_keep": min_keep,
            "ignore": ignore or [],
        }
    )
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise InputError(f"cannot write {out}: give the path of a file in a folder that exists")
    with shown_progress(0) as progress:
        priced = composition.measure(spec, classes, _shape(input_shape), progress)
    if out is not None:
        save(out, priced.table, [priced.calibration])
        say(f"written to {out}")
    _print(priced, as_json)


@app.command("show")
def show(
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help=TABLE_HELP)] = None,
    db: Db = DEFAULT_DB,
    entries: Annotated[bool, typer.Option("--entries", help="Also every operator.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the tables of a database, or show one with its calibrations."""
    if table is None:
        _list(db, as_json)
        return
    found, calibrations = find_table(table, stored_tables(db))
    if as_json:
        document = found.to_json() if entries else _about(found)
        print_json({**document, "calibrations": [_shown(item) for item in calibrations]})
        return
    print_table(
        f"table {found.hash[:16]}", ["", "value"], [[k, v] for k, v in _about(found).items()]
    )
    for calibration in calibrations:
        say(calibration.describe())
    if entries:
        print_table(
            "operators",
            ["operator", "median", "spread", "repeats"],
            [
                [
                    entry.operator.label,
                    milliseconds(entry.sample.median_s),
                    milliseconds(entry.sample.mad_s),
                    entry.sample.repeats,
                ]
                for entry in found.entries
            ],
        )


@app.command("check")
def check(
    model: Model,
    db: Db = DEFAULT_DB,
    table: Annotated[str | None, typer.Option("--table", help=TABLE_HELP)] = None,
    input_shape: Shape = None,
    classes: Classes = 10,
    runtime: Runtime = "onnxruntime",
    batch: Batch = 1,
    threads: Threads = 1,
    divisor: Divisor = None,
    min_keep: MinKeep = 0.1,
    ignore: Ignore = None,
    as_json: AsJson = False,
) -> None:
    """Run whole networks of random schedules again and say how far the table is off."""
    spec = make_spec(
        {
            "model": model,
            "runtime": runtime,
            "batch": batch,
            "threads": threads,
            "db": db,
            "table": table,
            "divisor": divisor,
            "min_keep": min_keep,
            "ignore": ignore or [],
        }
    )
    with shown_progress(0) as progress:
        priced = composition.check_table(spec, classes, _shape(input_shape), progress)
    _print(priced, as_json)


def _print(priced: PricedTable, as_json: bool) -> None:
    if as_json:
        print_json({**_about(priced.table), "calibration": _shown(priced.calibration)})
        return
    print_table(
        f"table {priced.table.hash[:16]}",
        ["", "value"],
        [[k, v] for k, v in _about(priced.table).items()],
    )
    say(priced.describe())


def _list(db: str, as_json: bool) -> None:
    rows = [
        {"hash": table.hash, **asdict(table.context), "operators": len(table.entries)}
        for table in all_tables(stored_tables(db))
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        "tables",
        ["table", "runtime", "batch", "threads", "processor", "operators"],
        [
            [
                row["hash"][:16],
                row["runtime"],
                row["batch"],
                row["threads"],
                row["device"]["processor"],
                row["operators"],
            ]
            for row in rows
        ],
    )


def _about(table: Any) -> dict[str, Any]:
    context = table.context
    return {
        "hash": table.hash,
        "runtime": context.runtime,
        "runtime_version": context.runtime_version,
        "batch": context.batch,
        "threads": context.threads,
        "dtype": context.dtype,
        "processor": context.device.processor,
        "instruction_set": context.device.instruction_set,
        "operators": len(table.entries),
        "noisy": sum(entry.sample.noisy for entry in table.entries),
    }


def _shown(calibration: Calibration) -> dict[str, Any]:
    wanted = (
        "networks",
        "mape",
        "bias",
        "worst",
        "spearman",
        "repeat_noise",
        "margin",
    )
    content = calibration.to_json()
    return {
        "hash": calibration.hash,
        "law": content["law"],
        **{key: getattr(calibration, key) for key in wanted},
    }


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.lower().split("x")
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise InputError(f"cannot read the input shape {text!r}: write it as 3x224x224")
    return tuple(int(part) for part in parts)
