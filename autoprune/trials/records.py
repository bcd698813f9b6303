"""What the trial database holds, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

JobState = Literal["queued", "running", "paused", "cancelled", "finished", "failed"]
ShownState = Literal[
    "queued", "running", "interrupted", "paused", "cancelled", "finished", "failed"
]
"""As people are told it: a job that runs and whose driver was lost is interrupted."""
TrialState = Literal["asked", "finished", "told"]
Purpose = Literal["candidate", "step", "probe"]
Json = dict[str, Any]


@dataclass(frozen=True)
class JobRecord:
    """One search job.

    Args:
        id: short, unique, chosen by the store.
        what: the hashed half of the spec: content hashes, frozen groups, searcher, seed, K...
        what_hash: sha256 of ``what`` as canonical JSON.
        how: the other half: workers, executor, paths, names to load the model and data by.
        environment: the fingerprint scores are exact for.
        base: score, accuracy, latency, MACs and parameters of the unpruned network.
        stage: search, race, measure, finetune or done.
        results: what the stages after the search found (not part of the digest).
        epoch: fencing token; raised by every acquisition.
        timing_dependent: a verdict depended on memory or time, or the environment was overridden.
        priority: of a job for workers, higher first; None for one that its user runs, which no
            worker takes.
        desired_state: what its driver is asked to make of it at its next step.
    """

    id: str
    state: JobState
    stage: str
    what: Json
    what_hash: str
    how: Json
    environment: str
    base: Json
    results: Json
    epoch: int
    created: str
    error: str | None = None
    timing_dependent: bool = False
    priority: int | None = None
    desired_state: JobState | None = None


@dataclass(frozen=True)
class JobListed:
    """One line of the list of jobs; None also where a newer version stored another kind of value.

    Args:
        trials: as many as the job may run.
        direction: of its metric; ``minimize`` or ``maximize``.
        base_score: of the unpruned network.
    """

    id: str
    state: JobState
    stage: str
    created: str
    priority: int | None
    searcher: str | None
    trials: int | None
    direction: str | None
    base_score: float | None
    budget: tuple[str, ...]
    model: str | None
    weights: str | None
    data: str | None


@dataclass(frozen=True)
class JobProgress:
    """How far the trials of a job are.

    Args:
        told: trials with their score, without probes.
        lowest, highest: of the candidates' scores; None before the first.
    """

    told: int = 0
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class JobPosition:
    """How far a job is: two that are equal had nothing happen between them.

    Args:
        state, stage, epoch: of the job.
        desired: what its driver is asked to make of it.
        trials: how many were asked, have a result, and were told.
        finalists: how many there are, have a score, and were measured.
        events: sequence number of the last one; 0 before the first.
    """

    state: JobState
    stage: str
    epoch: int
    desired: JobState | None
    trials: tuple[int, int, int]
    finalists: tuple[int, int, int]
    events: int


@dataclass(frozen=True)
class Request:
    """What made a job: who asked (a token's name), under which key, and the hash of the body."""

    scope: str
    key: str
    body_hash: str


@dataclass(frozen=True)
class TrialResult:
    """What one evaluation said; also the row of a reusable evaluation.

    Args:
        score: by the job's metric; None for a failure.
        seconds: wall time of the evaluation; 0.0 when reused.
        error: the verdict of a failure, None otherwise.
        weights: sha256 of the artifact with the finetuned weights, where they were kept.
        reused: the score came from an earlier evaluation with the same key.
        figure: a task's metric, or its loss where it has none; None where it is not known.
    """

    score: float | None
    loss: float | None
    accuracy: float | None
    seconds: float
    error: str | None = None
    weights: str | None = None
    reused: bool = False
    figure: float | None = None


@dataclass(frozen=True)
class NewTrial:
    """A suggestion as it enters the database."""

    index: int
    purpose: Purpose
    widths: tuple[int, ...]
    start_from: int | None
    predicted: Json
    evaluation_key: str


@dataclass(frozen=True)
class TrialRecord:
    """One trial; ``result`` is there from state ``finished`` on."""

    index: int
    purpose: Purpose
    widths: tuple[int, ...]
    start_from: int | None
    predicted: Json
    evaluation_key: str
    state: TrialState
    result: TrialResult | None


class TrialLine(NamedTuple):
    """As much of a trial as its job's history needs.

    Args:
        trial: its index.
        widths: as the JSON text that is stored.
        weights: as of a :class:`TrialResult`.
    """

    trial: int
    purpose: Purpose
    widths: str
    start_from: int | None
    score: float | None = None
    accuracy: float | None = None
    weights: str | None = None


@dataclass(frozen=True)
class TrialTally:
    """How many trials a job has.

    Args:
        asked, told: without probes.
        tells: told ones, with probes: the trials of the indices below it.
        probe_seconds: wall time of all probes.
        seconds_each: mean wall time of the others that have one; None where none has.
    """

    asked: int
    told: int
    tells: int
    probes: int
    probe_seconds: float
    seconds_each: float | None


@dataclass(frozen=True)
class FinalistRecord:
    """One schedule of the race or the ladder.

    Args:
        slot: position in the frozen list of finalists.
        origin: ``race``, ``control`` or the rung of the ladder, as in ``ladder 96%``.
        trial: index of the trial it comes from.
        measured: ratio to the unpruned network and seconds, once measured (not in the digest).
    """

    slot: int
    origin: str
    trial: int
    widths: tuple[int, ...]
    predicted: Json
    evaluation_key: str
    result: TrialResult | None
    measured: Json | None = None


@dataclass(frozen=True)
class Lease:
    """The right to write to a job until it expires or another driver takes over."""

    job: str
    owner: str
    epoch: int


@dataclass(frozen=True)
class Checkpoint:
    """A searcher's state after ``tells`` tells.

    Args:
        history: digest of the asks and tells it stands for.
        state: JSON half of the searcher's state.
        arrays: npz bytes (numpy's own format, no pickle).
    """

    tells: int
    history: str
    state: Json
    arrays: bytes


@dataclass(frozen=True)
class Event:
    """One line of a job's progress stream."""

    sequence: int
    kind: str
    payload: Mapping[str, Any]
    at: str
