"""What a job of 100,000 trials costs whoever resumes it, or looks at it.

The job is a real one: its loop, its searcher and its checkpoints are, only the transactions are
written in bulk, and the evaluations take no time. Then it is resumed as after a crash. Prints the
seconds from opening the database to the commit of the first new trial, and those of pages of
trials as the service reads them.

    python -m benchmarks.big_resume --trials 100000 --searcher legr
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.lease import acquire, heartbeat
from autoprune.jobs.runner import run_search_and_race
from autoprune.jobs.summary import trial_rows
from autoprune.trials import evaluations, history
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.records import Checkpoint, Event, JobState, Json, Lease, NewTrial, TrialResult
from autoprune.trials.store import TrialStore
from benchmarks.sleeping_job import LOOKAHEAD, Sleeper, context_of, create_job, open_store

PAGE = 100
REPEATS = 20


class Stopped(Exception):
    """The driver is as good as killed."""


class BulkStore(TrialStore):
    """Writes many steps of one driver as one transaction.

    Args:
        last: where a driver is stopped: after the commit that tells this trial.
    """

    def __init__(self, db: str, folder: Path, last: int) -> None:
        super().__init__(connect(db), ArtifactFolder(folder / "artifacts"))
        self._last = last
        self._results: dict[int, TrialResult] = {}
        self._asked: list[NewTrial] = []
        self._told: list[int] = []
        self._checkpoint: Checkpoint | None = None

    def evaluation(self, key: str) -> TrialResult | None:  # noqa: ARG002 - all are new
        """None has a score."""
        return None

    def finish_trial(self, lease: Lease, index: int, result: TrialResult) -> None:  # noqa: ARG002
        """Keep it for the next transaction."""
        self._results[index] = result
"""
