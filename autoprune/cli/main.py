"""The `autoprune` program: its commands, its exit codes, how its errors look."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from types import FrameType

import typer

from autoprune.cli import (
    cancel,
    check,
    compare,
    db,
    export,
    jobs,
    latency,
    pause,
    resume,
    search,
    serve,
    show,
    token,
    trials,
    verify,
    version,
    worker,
)
from autoprune.cli.output import say
from autoprune.errors import AutopruneError
from latency_tables.errors import LatencyTableError
from searchers.contract import SearcherError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.callback()(version.program)
app.command("check")(check.check)
app.command("search")(search.search)
app.command("resume")(resume.resume)
app.command("pause")(pause.pause)
app.command("cancel")(cancel.cancel)
app.command("worker")(worker.worker)
app.command("jobs")(jobs.jobs)
app.command("show")(show.show)
app.command("trials")(trials.trials)
app.command("export")(export.export)
app.command("verify")(verify.verify)
app.command("compare")(compare.compare)
app.command("serve")(serve.serve)
app.add_typer(token.app, name="token")
app.add_typer(latency.app, name="latency")
app.add_typer(db.app, name="db")


def main() -> None:
    """Entry point: 0 done, 1 failed, 2 invalid input, 3 budget infeasible, 130 interrupted.

    With AUTOPRUNE_DEBUG the whole traceback of an error stands above its message.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.exit(app(standalone_mode=False))  # what an Exit said, or None for a command that ended
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except AutopruneError as error:
        _trace(error)
        say(f"error: {error}")
        sys.exit(error.exit_code)
    except (LatencyTableError, SearcherError) as error:
        _trace(error)
        say(f"error: {error}")
        sys.exit(2)
    except OSError as error:
        _trace(error)
        say(f"error: {error.filename or 'a file'}: {error.strerror or error}")
        sys.exit(1)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        if error.format_message():  # none where no command was given and the help was printed
            say(f"error: {error.format_message()}")  # wrong usage, as typer words it
        sys.exit(2)


def _trace(error: Exception) -> None:
    if os.environ.get("AUTOPRUNE_DEBUG"):
        traceback.print_exception(error)


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
