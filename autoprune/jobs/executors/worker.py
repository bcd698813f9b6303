"""What runs inside a worker process."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from autoprune.evaluation.contract import EvaluationRequest
from autoprune.jobs.executors.port import Recipe


@dataclass(frozen=True)
class StartFailure:
    """Sent instead of a result when the evaluator could not be made; ends the job, not a trial."""

    error: str


def serve(
    recipe: bytes, requests: Connection, lifeline: Connection, inherited: Sequence[Connection]
) -> None:
    """Answer requests until the driver goes away.

    Args:
        recipe: pickled :data:`Recipe`; it comes from the driver over a pipe, never from storage.
        requests: duplex; receives a request, sends a result.
        lifeline: never written to; its end of file means that the driver is gone, also in the
            middle of an evaluation.
        inherited: the driver's ends of pipes, which a forked process holds copies of; they are
            closed here, or nobody would ever see an end of file.
    """
    for connection in inherited:
        connection.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with, args=(lifeline,), daemon=True).start()
    make: Recipe = pickle.loads(recipe)  # noqa: S301 - from the driver's own memory
    try:
        evaluator = make()
    except Exception as error:
        requests.send(StartFailure(f"{type(error).__name__}: {error}"))
        return
    while True:
        try:
            request: EvaluationRequest = requests.recv()
            requests.send(evaluator.evaluate(request))
        except (EOFError, OSError):
            return


def preloaded(*modules: str) -> list[str]:
    """What a fork server imports once for all its processes.

    The command line belongs to it where it runs: a process would import it as its main module.
    """
    main = "autoprune.cli.main"
    return [*modules, main] if main in sys.modules else [*modules]


def die_with(lifeline: Connection) -> None:
    """End this process as soon as the other end of a pipe is gone; blocks until then."""
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGKILL)
