"""Slow submissions, one after the other, and never more than a few of them waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from autoprune.api.problems import Problem

T = TypeVar("T")


class Submissions:
    """One thread that loads models and checks budgets.

    Args:
        waiting: how many may wait for it.
    """

    def __init__(self, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="submit")
        self._places = threading.Semaphore(waiting + 1)

    async def run(self, work: Callable[[], T]) -> T:
        """The result of some work, once its turn came; it goes on if nobody waits for it any more.

        Raises:
            Problem: too many wait already.
        """
        if not self._places.acquire(blocking=False):
            raise Problem(
                "server-busy",
                "other jobs are being submitted, which takes seconds each: try again",
                {"Retry-After": "10"},
            )

        def in_turn() -> T:
            try:
                return work()
            finally:
                self._places.release()

        try:
            future = self._pool.submit(in_turn)
        except RuntimeError:
            self._places.release()
            raise Problem("server-busy", "the server is ending", {"Retry-After": "10"}) from None
        return await asyncio.shield(asyncio.wrap_future(future))

    def close(self) -> None:
        """Take no more; what runs is brought to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
