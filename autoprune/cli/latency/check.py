"""`autoprune latency check`: how far a table is off, measured on whole networks."""

from __future__ import annotations

from typing import Annotated

import typer

from autoprune import composition
from autoprune.cli.latency.options import TABLE_HELP, MeasuringOptions, Model, with_options
from autoprune.cli.latency.printing import print_priced
from autoprune.cli.options import DEFAULT_DB, AsJson, Db
from autoprune.cli.progress import shown_progress
from autoprune.jobs.table_summary import ERRORS


@with_options
def check(
    model: Model,
    options: MeasuringOptions,
    db: Db = DEFAULT_DB,
    table: Annotated[str | None, typer.Option("--table", help=TABLE_HELP)] = None,
    as_json: AsJson = False,
) -> None:
    """Run whole networks of random schedules again and say how far the table is off."""
    spec = options.spec(model=model, db=db, table=table)
    with shown_progress(0) as progress:
        priced = composition.check_table(spec, options.classes, options.shape, progress)
    errors = {name: getattr(priced.calibration, name) for name in ERRORS}
    print_priced(priced, as_json, **errors)
