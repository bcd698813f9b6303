"""The documents that routes answer, for the OpenAPI document and whoever reads it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from autoprune.trials.records import JobState, Purpose, ShownState, TrialState

Object = dict[str, Any]
FIGURE = "Of a task, in place of an accuracy; its name stands in the job's `base.figure`."

STATE = "`interrupted`: it runs and its driver was lost; a worker takes it, if it has a priority."


class Document(BaseModel):
    """Fields may be added to any document."""

    model_config = ConfigDict(extra="allow")


class Alive(Document):
    """The process answers."""

    status: Literal["alive"]


class Ready(Document):
    """The database answers, and is of this program's revision."""

    status: Literal["ready"]


class Name(Document):
    """A name that may be used."""

    name: str = Field(examples=["autoprune:resnet20"])
    built_in: bool


class Names(Document):
    """Names that may be used."""

    items: list[Name]


class JobLine(Document):
    """One job of the list; null also where a newer version stored another kind of value."""

    job: str = Field(examples=["5a1c09de"])
    state: ShownState = Field(description=STATE)
    stage: str = Field(examples=["search"])
    created: str
    priority: int | None = Field(description="Workers take higher ones first; null: not theirs.")
    searcher: str | None
    trials: int | None = Field(description="As many as the job may run.")
    trials_told: int = Field(description="Those with a score, without probes.")
    best_score: float | None = Field(description="Of the candidates so far, by the job's metric.")
    base_score: float | None = Field(description="Of the unpruned network.")
    budget: list[str] = Field(examples=[["50%"]])
    model: str | None = Field(description="By its name in the catalog; null for any other.")
    data: str | None = Field(description="By its name in the catalog; null for any other.")


class JobPage(Document):
    """A page of jobs, newest first."""

    items: list[JobLine]
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class Budget(Document):
    """The budget as it was given, and in seconds, multiply-adds and parameters."""

    given: list[str]
    latency_s: float | None = None
    macs: float | None = None
    params: float | None = None


class Layer(Document):
    """One layer, before and after."""

    type: str
    in_channels: list[int]
    out_channels: list[int]
    keep_ratio: float = Field(description="Output channels after / before, in (0, 1].")


class Best(Document):
    """The chosen schedule; until there is one, the best candidate so far."""

    trial: int
    score: float | None
    accuracy: float | None
    figure: float | None = Field(default=None, description=FIGURE)
    predicted_latency_s: float | None
    measured_latency_s: float | None
    macs: int | None
    params: int | None
    layers: dict[str, Layer]


class Job(Document):
    """What `autoprune show JOB --json` prints, and what a page about the job needs beside it."""

    job: str
    state: ShownState = Field(description=STATE)
    stage: str
    searcher: str
    seed: int
    trials: int = Field(description="Asked so far, without probes.")
    trials_told: int
    trials_planned: int
    digest: str
    budget: Budget
    metric: Object = Field(examples=[{"name": "calibrated-loss", "direction": "minimize"}])
    base: Object = Field(description="The unpruned network: score, accuracy, latency, size.")
    best: Best | None
    final: Object | None
    error: str | None
    desired_state: JobState | None = Field(
        description="What the job's driver was asked to do next."
    )
    created: str
    priority: int | None
    model: str | None
    data: str | None
    savings: list[Object] | None = Field(
        description="By each table, the time that each group of layers saves, with its share."
    )
    layer_shares: dict[str, float] | None = Field(
        description="Of the unpruned network's latency, by layer; those of the chosen schedule are "
        "in `savings`. None in jobs of an earlier version."
    )
    last_event: int = Field(description="Number of the last event that is in this answer.")
    has_bundle: bool = Field(description="Whether /export has something to give.")


class Trial(Document):
    """One trial, as `autoprune trials JOB --json` prints it."""

    index: int
    purpose: Purpose
    state: TrialState
    widths: dict[str, int]
    score: float | None
    accuracy: float | None
    figure: float | None = Field(default=None, description=FIGURE)
    predicted_latency_s: float | None
    seconds: float | None
    error: str | None
    macs: int | None
    start_from: int | None = Field(
        description="The trial whose weights it started from; null for the base weights."
    )


class TrialPage(Document):
    """A page of trials, in the order they were asked."""

    items: list[Trial]
    next: str | None


class Group(Document):
    """Channels that were pruned together."""

    units: int
    width: int
    kept: list[int]


class Schedule(Document):
    """What a finished job chose."""

    job: str
    digest: str
    budget: Budget
    status: Literal["measured", "predicted"]
    base_latency_s: float
    predicted_latency_s: float
    measured_latency_s: float | None
    layers: dict[str, Layer]
    groups: dict[str, Group]
    savings: list[Object] | None
    accuracy: Object


class Front(Document):
    """The trials that no other beats in latency and score, fastest first."""

    job: str
    state: JobState
    metric: Object
    budget: list[str]
    limit_s: float | None
    trials_planned: int
    unpruned: Object
    chosen: Object | None
    figure: str | None = Field(
        default=None, description="Name of a task's figure, which the rows have beside a score."
    )
    front: list[Object]


class Answer(Document):
    """The schedule for a budget by what a job has evaluated, as `search --from JOB` prints it."""

    budget: list[str] = Field(examples=[["35%"]])
    origin: str = Field(
        description="Where the schedule comes from.", examples=["the solver's model"]
    )
    expected_score: float
    is_prediction: bool = Field(description="Whether the score is expected, not evaluated.")
    gap: float | None = Field(
        description="How far the answer of a model may be above its minimum, as a fraction."
    )
    metric: Object
    evaluations: int = Field(description="Of the job, that the answer is learned from.")
    predicted_latency_s: float
    latency_fraction: float = Field(description="Of the unpruned network's latency.")
    macs: int
    params: int
    schedule: dict[str, int] = Field(description="Units to keep of each group.")
    layers: dict[str, Layer]
    alternatives: list[Object] = Field(description="The next best ones.")


class Submitted(Document):
    """A job that was stored; a worker takes it up."""

    job: str
    state: Literal["queued"]
    created: str
    budget: Budget
    base: Object


class Changed(Document):
    """Where a job stands after a wish."""

    job: str
    state: JobState
    desired_state: JobState | None = Field(
        description="What its driver is about to do; null: done already."
    )


class TableLine(Document):
    """A latency table in a dozen words."""

    hash: str
    runtime: str
    runtime_version: str
    batch: int
    threads: int
    dtype: str
    processor: str
    instruction_set: str
    operators: int
    noisy: int


class TablePage(Document):
    """A page of tables, newest first."""

    items: list[TableLine]
    next: str | None


class Table(TableLine):
    """A table with its calibrations and one page of its entries."""

    calibrations: list[Object]
    items: list[Object] = Field(description="Entries: an operator and its latency in seconds.")
    next: str | None


class StoredTable(TableLine):
    """A table that was stored."""

    calibrations: list[Object]
