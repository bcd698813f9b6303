"""What runs inside a worker process."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from multiprocessing.connection import Connection

from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult
from autoprune.jobs.executors.port import Recipe


def serve(recipe: bytes, requests: Connection, lifeline: Connection) -> None:
    """Answer requests until the driver goes away.

    Args:
        recipe: pickled :data:`Recipe`; it comes from the driver over a pipe, never from storage.
        requests: duplex; receives a request, sends a result.
        lifeline: never written to; its end of file means that the driver is gone, also in the
            middle of an evaluation.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_driver, args=(lifeline,), daemon=True).start()
    make: Recipe = pickle.loads(recipe)  # noqa: S301 - from the driver's own memory
    try:
        evaluator = make()
    except Exception as error:
        _answer_failures(requests, f"worker could not start: {type(error).__name__}: {error}")
        return
    while True:
        try:
            request: EvaluationRequest = requests.recv()
            requests.send(evaluator.evaluate(request))
        except (EOFError, OSError):
            return


def _answer_failures(requests: Connection, error: str) -> None:
    while True:
        try:
            requests.recv()
            requests.send(EvaluationResult(None, None, None, 0.0, error=error))
        except (EOFError, OSError):
            return


def _die_with_driver(lifeline: Connection) -> None:
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0)
