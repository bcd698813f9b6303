"""Run Python code under a time limit, from any thread."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class DeadlineError(Exception):
    """The call did not return in time."""


def call_within(seconds: float, call: Callable[[], Result]) -> Result:
    """``call()``, or :class:`DeadlineError` once ``seconds`` have passed.

    The call runs in a thread of its own, and at the deadline an exception is raised *inside* that
    thread at its next bytecode. Unlike an alarm signal this works off the main thread, and unlike
    a forked process it needs no copy of the model and cannot inherit a held lock. It does not
    interrupt a single native call, and graph building is made of many short ones.
    """
    worker = _Worker(call)
    thread = threading.Thread(target=worker.run, daemon=True, name="autoprune-deadline")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(DeadlineError)
        )
        raise DeadlineError(f"no result after {seconds:g} s")
    return worker.result()


class _Worker(Generic[Result]):
    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self._answer: list[Result] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._answer.append(self._call())
        except BaseException as error:  # handed to the caller's thread
            self._error = error

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        return self._answer[0]
