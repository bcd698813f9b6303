"""`autoprune latency merge`: several table files into one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoprune.cli.latency.options import TableOut
from autoprune.cli.latency.printing import print_about
from autoprune.cli.options import AsJson, check_writable
from autoprune.cli.output import print_json, say
from autoprune.jobs.table_files import merge_files
from autoprune.jobs.table_summary import about, shown
from latency_tables.storage import save


def merge(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The table files.")],
    out: TableOut,
    as_json: AsJson = False,
) -> None:
    """Make one table of several that were measured under the same conditions.

    Where an operator is in several files, the last file's latency counts.
    """
    check_writable(out)
    merged = merge_files(files)
    save(out, merged.table, merged.calibrations)
    say(f"written to {out}; calibrations in it: {len(merged.calibrations)}")
    if merged.left_out:
        say(
            f"{merged.left_out} calibrations are left out, because latencies they were made with "
            "changed: run 'autoprune latency check --model MODEL --table FILE' on the device"
        )
    if as_json:
        print_json(
            {**about(merged.table), "calibrations": [shown(each) for each in merged.calibrations]}
        )
    else:
        print_about(merged.table)
