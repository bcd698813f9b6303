"""`autoprune latency measure`: a table for one network on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoprune import composition
from autoprune.cli.latency.options import MeasuringOptions, Model, with_options
from autoprune.cli.latency.printing import print_priced
from autoprune.cli.options import DEFAULT_DB, AsJson, check_writable
from autoprune.cli.output import say
from autoprune.cli.progress import shown_progress
from latency_tables.storage import save

_DB_HELP = (
    f"Trial database that keeps the table: a SQLite file or a postgresql:// URL; {DEFAULT_DB} "
    "unless --out is given."
)


@with_options
def measure(
    model: Model,
    options: MeasuringOptions,
    db: Annotated[
        str | None, typer.Option("--db", help=_DB_HELP, envvar="AUTOPRUNE_DB", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Write one portable file. Without --db, what is measured is kept in FILE.part "
            "until the file is written.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the operators a network needs on this machine, and calibrate on whole networks.

    Started again after an interruption, it goes on where it was.
    """
    if out is not None:
        check_writable(out)
    partial = out.with_name(f"{out.name}.part") if out is not None and db is None else None
    spec = options.spec(model=model, db=str(partial or db or DEFAULT_DB))
    with shown_progress(0) as progress:
        priced = composition.measure(spec, options.classes, options.shape, progress)
    if out is not None:
        save(out, priced.table, [priced.calibration])
        say(f"written to {out}")
    if partial is not None:
        composition.remove_database(partial)
    print_priced(priced, as_json)
