"""What happens to jobs, as it happens: one poll of the database for all who listen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from autoprune.api.problems import Problem
from autoprune.errors import AutopruneError
from autoprune.trials.records import Event, JobState
from autoprune.trials.store import TrialStore

POLL_S = 0.5
MOST_STREAMS = 500
ENDED: tuple[JobState, ...] = ("finished", "failed", "cancelled")
_PAGE = 500
_log = logging.getLogger("autoprune.api")


@dataclass
class Feed:
    """What is known of one job.

    Args:
        last: number of the job's last event.
        recent: the events up to it, without a gap; older ones are read from the database.
        changed: set, and replaced, when something of it changes.
    """

    last: int
    state: JobState
    recent: list[Event] = field(default_factory=list)
    listeners: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def after(self, sequence: int) -> list[Event] | None:
        """The events behind a number; None where the recent ones do not reach back so far."""
        if sequence >= self.last:
            return []
        if not self.recent or self.recent[0].sequence > sequence + 1:
            return None
        return [event for event in self.recent if event.sequence > sequence]

    def announce(self) -> None:
        """Wake whoever waits."""
        self.changed.set()
        self.changed = asyncio.Event()


class EventHub:
    """The jobs that somebody listens to, polled together.

    Args:
        trials: where the events are.
    """

    def __init__(self, trials: TrialStore) -> None:
        self._trials = trials
        self._feeds: dict[str, Feed] = {}
        self._poller: asyncio.Task[None] | None = None
        self._streams = 0

    @asynccontextmanager
    async def listening(self, job: str, last: int, state: JobState) -> AsyncIterator[Feed]:
        """The feed of a job, polled until the block ends.

        Args:
            last, state: as they were read a moment ago.
        """
        feed = self._feeds.setdefault(job, Feed(last, state))
        feed.listeners += 1
        self._streams += 1
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            yield feed
        finally:
            feed.listeners -= 1
            self._streams -= 1
            if not feed.listeners:
                self._feeds.pop(job, None)

    def check_room(self) -> None:
        """Raise Problem where too many listen already."""
        if self._streams >= MOST_STREAMS:
            raise Problem(
                "server-busy", f"{MOST_STREAMS} streams are open: try again", {"Retry-After": "30"}
            )

    async def missed(self, job: str, after: int) -> list[Event]:
        """Events that the feed no longer holds, the oldest first; not all of them at once."""
        return await run_in_threadpool(self._trials.events, job, after, _PAGE)

    async def close(self) -> None:
        """End the polling."""
        if self._poller is not None:
            self._poller.cancel()
            with suppress(asyncio.CancelledError):
                await self._poller

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            feeds = dict(self._feeds)
            if not feeds:
                continue
            try:
                await self._refresh(feeds)
            except AutopruneError as error:  # the database may be back at the next poll
                _log.warning("events wait: %s", error)
            except Exception:
                _log.exception("events wait")

    async def _refresh(self, feeds: dict[str, Feed]) -> None:
        found = await run_in_threadpool(self._trials.ends_of_events, list(feeds))
        for job, (last, state) in found.items():
            feed = feeds[job]
            if last > feed.last:
                new = await run_in_threadpool(self._trials.events, job, feed.last, _PAGE)
                feed.recent = [*feed.recent, *new][-_PAGE:]
                feed.last = new[-1].sequence
                feed.announce()
            elif state != feed.state:
                feed.state = state
                feed.announce()
