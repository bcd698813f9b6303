"""What ``schedule.json`` says of latencies: predicted, measured, and learned by measuring."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]


class Entry(BaseModel):
    """A part of the schedule: unknown fields are refused, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Latency(Entry):
    """Whole-network latency on the schedule's device, runtime, batch and threads.

    Args:
        base_s: measured median of the unpruned network, which the budget refers to.
        predicted_s: of the pruned network, by the latency table.
        measured_s: measured_ratio x base_s: both networks were measured interleaved.
        measured_ratio: pruned / unpruned, median over the rounds.
        measured_on: the machine that was measured.
    """

    base_s: Seconds
    predicted_s: Seconds
    measured_s: Seconds | None = None
    measured_ratio: Annotated[float, Field(gt=0)] | None = None
    measured_on: str | None = None
    status: Literal["measured", "predicted"]

    @model_validator(mode="after")
    def _status_says_what_there_is(self) -> Self:
        measured = self.status == "measured"
        if {self.measured_s is not None, self.measured_ratio is not None} != {measured}:
            raise ValueError(
                f"status {self.status!r} {'needs' if measured else 'excludes'} "
                "measured_s and measured_ratio"
            )
        return self

    @property
    def after_s(self) -> float:
        """The best figure there is for the pruned network; ``status`` says which it is."""
        return self.predicted_s if self.measured_s is None else self.measured_s


class Finalist(Entry):
    """One schedule that could have been exported.

    Args:
        origin: ``race``, ``control`` (of the race, from further down the ranking), ``ladder 96%``
            (of the budget, as predicted), or ``extra`` for a rung that measuring asked for.
        score: by the schedule's metric.
        predicted_s, measured_s: as in :class:`Latency`; None where it was not measured.
    """

    origin: str
    score: float | None
    predicted_s: Seconds
    measured_s: Seconds | None = None


class Learned(Entry):
    """What measuring the finalists taught the calibration; the job itself kept its own.

    Args:
        calibration: hash of the new record, offered to the next job; None where it is no better.
        networks: finalists that the calibration did not hold.
        pairs: (sum of the table's entries, measured) of each, in seconds.
        error_before: mean of |predicted - measured| / measured over them, by the old calibration.
        error_after: the same by the new one, each of them held out in turn.
    """

    calibration: str | None
    networks: Count
    pairs: tuple[tuple[Seconds, Seconds], ...]
    error_before: Annotated[float, Field(ge=0)]
    error_after: Annotated[float, Field(ge=0)]
