"""`autoprune latency`: measure, look at, check, move and merge latency tables."""

from __future__ import annotations

import typer

from autoprune.cli.latency.check import check
from autoprune.cli.latency.export import export
from autoprune.cli.latency.import_table import import_table
from autoprune.cli.latency.measure import measure
from autoprune.cli.latency.merge import merge
from autoprune.cli.latency.show import show

app = typer.Typer(help="Measure, show, check, move and merge latency tables.", no_args_is_help=True)
app.command("measure")(measure)
app.command("show")(show)
app.command("check")(check)
app.command("export")(export)
app.command("import")(import_table)
app.command("merge")(merge)
