"""`autoprune token`: who may use the service."""

from __future__ import annotations

from typing import Annotated

import typer

from autoprune.cli.options import DEFAULT_DB, AsJson, Db
from autoprune.cli.output import print_json, print_table, say
from autoprune.trials.engine import connect
from autoprune.trials.token_store import TokenStore

app = typer.Typer(help="Tokens of the HTTP service.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose token it is.")]


@app.command("create")
def create(name: Name, db: Db = DEFAULT_DB, as_json: AsJson = False) -> None:
    """Make a token and print it, this once; from the first one on the service asks for tokens."""
    token = TokenStore(connect(db)).create(name)
    say(f"token {name}: keep it, the database holds its hash alone")
    if as_json:
        print_json({"name": name, "token": token})
    else:
        print(token)


@app.command("list")
def list_tokens(db: Db = DEFAULT_DB, as_json: AsJson = False) -> None:
    """List the tokens, also revoked ones."""
    rows = [
        {"name": token.name, "created": token.created, "revoked": token.revoked}
        for token in TokenStore(connect(db, create=False)).tokens()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table("tokens", ["name", "created", "revoked"], [list(row.values()) for row in rows])


@app.command("revoke")
def revoke(name: Name, db: Db = DEFAULT_DB) -> None:
    """End a token, at once and for good; its name is not free again."""
    TokenStore(connect(db, create=False)).revoke(name)
    say(f"token {name} is revoked")
