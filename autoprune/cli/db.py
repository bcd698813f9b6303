"""`autoprune db`: care of the database."""

from __future__ import annotations

import typer

from autoprune.cli.options import DEFAULT_DB, Db
from autoprune.cli.output import say
from autoprune.trials.engine import open_engine
from autoprune.trials.migration import upgrade as run_migrations

app = typer.Typer(help="Care of the trial database.", no_args_is_help=True)


@app.callback()
def database() -> None:
    """Care of the trial database."""


@app.command("upgrade")
def upgrade(db: Db = DEFAULT_DB) -> None:
    """Bring a database to the newest revision of its tables."""
    run_migrations(open_engine(db, create=False))
    say(f"{db} is at the newest revision")
