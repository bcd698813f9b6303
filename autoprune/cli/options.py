"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoprune.errors import InputError

Db = Annotated[
    str,
    typer.Option(
        "--db", help="Trial database: a SQLite file or a postgresql:// URL.", envvar="AUTOPRUNE_DB"
    ),
]
Artifacts = Annotated[
    str | None,
    typer.Option(
        "--artifacts", help="Folder of the weights that trials leave.", envvar="AUTOPRUNE_ARTIFACTS"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine output on stdout.")]
Out = Annotated[str | None, typer.Option("--out", help="Folder to write the bundle to.")]
Job = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, or its beginning.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Processes that score trials.")]
Queue = Annotated[
    bool, typer.Option("--queue", help="Leave the job to a worker: prints its id and ends.")
]
RayGpus = Annotated[
    float | None,
    typer.Option("--ray-gpus", help="GPUs of each Ray worker; 0.5 lets two share one."),
]
DEFAULT_DB = "autoprune.db"
CRITERION_HELP = (
    "What ranks the channels of a group: l2 (default), l1, mean, mean_abs, sum, sum_abs, "
    "group_lasso, lamp, fpgm, bn_scale, taylor, random, or one of a plugin."
)


def check_writable(out: Path) -> None:
    """Refuse a file that cannot be written, before anything slow.

    Raises:
        InputError: it is a folder, or in none.
    """
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise InputError(f"cannot write {out}: give the path of a file in a folder that exists")
