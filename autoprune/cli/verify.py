"""`autoprune verify`: is a bundle what it says, and does it meet its budget here?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoprune.cli.options import AsJson
from autoprune.cli.output import print_json, print_table
from autoprune.export.verify import verify as verify_bundle

_VERDICTS = {True: "ok", False: "FAILED", None: "not judged"}


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A bundle.")],
    model: Annotated[
        str | None, typer.Option("--model", help="The unpruned model, where the bundle names none.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option("--answers", help="answers.json of a device kit, instead of measuring here."),
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write/--no-write", help="Write the measurement into a bundle that is predicted."
        ),
    ] = True,
    measure: Annotated[bool, typer.Option("--measure/--no-measure", help="Measure again.")] = True,
    as_json: AsJson = False,
) -> None:
    """Check hashes, shapes and the ONNX file's numbers, and measure the latency again.

    A bundle that is predicted says measured afterwards, where everything passes on its device.
    """
    found = verify_bundle(folder, model=model, measure=measure, answers=answers, write=write)
    if as_json:
        print_json(found.to_json())
    else:
        print_table(
            f"bundle {folder}",
            ["check", "", "detail"],
            [[check.name, _VERDICTS[check.ok], check.detail] for check in found.checks],
        )
    if not found.passes:
        raise typer.Exit(1)
