"""The body of POST /v1/jobs: a job file, less what names paths, addresses or code."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from autoprune.api.request_fields import JOB_ID, MOST
from autoprune.rules import Rule
from autoprune.spec import Direction, FidelitySpec

JobName = Annotated[str, StringConstraints(pattern=JOB_ID)]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{6,64}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
TableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Option = bool | int | float | Text

EXAMPLE: dict[str, JsonValue] = {
    "model": "autoprune:digits_cnn",
    "data": "digits",
    "budget": "50%",
    "searcher": "solver",
    "trials": 40,
}
FROM_JOB: dict[str, JsonValue] = {"from_job": "5a1c09de", "budget": "35%", "trials": 20}


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Texts = Annotated[list[Text], BeforeValidator(_listed), Field(max_length=1000)]


class MetricRequest(BaseModel):
    """What trials are ranked by."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(description="loss, calibrated-loss, accuracy or one of the catalog's.")
    direction: Direction | None = None


class JobRequest(BaseModel):
    """One search job. What is left out has the default of a job file, or is that of `from_job`."""

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [EXAMPLE, FROM_JOB]}
    )

    model: Text | None = Field(None, description="A name of /v1/models.")
    data: Text | None = Field(None, description="A name of /v1/data.")
    from_job: JobName | None = Field(
        None,
        description="Whole id of a job of this server, whose evaluations this one begins with; "
        "what is left out is that job's, model and data always are.",
    )
    budget: Texts | None = Field(None, description="50%, 8ms, macs=20M... or a list of them.")
    table: Hash | dict[TableName, Hash] | None = Field(
        None, description="Hash of a table of /v1/tables; or several by the budget's names."
    )
    calibration: Hash | dict[TableName, Hash] | None = Field(
        None, description="Hash of one of the table's, in place of the newest."
    )
    runtime: Text | None = None
    batch: int | None = None
    threads: int | None = None
    searcher: Text | None = None
    searcher_options: dict[Text, Option] | None = Field(None, max_length=50)
    warm_start: Literal["solver"] | None = None
    trials: int | None = None
    seed: int | None = None
    lookahead: int | None = None
    criterion: Text | None = None
    ignore: Texts | None = None
    divisor: int | None = None
    min_keep: float | None = None
    rules: list[Rule] | None = Field(None, max_length=1000)
    tied: list[list[Text]] | None = Field(None, max_length=1000)
    keep_dominated: bool | None = None
    metric: MetricRequest | None = None
    fidelity: FidelitySpec | None = None
    probe_images: int | None = None
    race_steps: int | None = None
    finetune_epochs: int | None = None
    finetune_learning_rate: float | None = None
    train_threads: int | None = None
    train_device: Text | None = None
    priority: int | None = Field(None, description="Workers take higher ones first.")
    unmeasured: bool | None = Field(
        None, description="The device is elsewhere: the export is marked as predicted."
    )

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        given = self.values()
        for path, most in MOST.items():
            value: Any = given
            for name in path.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            if value is not None and value > most:
                raise ValueError(f"expected {path} to be at most {most}, got {value}")
        for name, value in given.get("searcher_options", {}).items():
            if isinstance(value, int | float) and abs(value) > 1e6:
                raise ValueError(f"expected searcher_options.{name} to be at most 1e6, got {value}")
        return self

    def values(self) -> dict[str, Any]:
        """The fields that were given, as those of a job file."""
        given = self.model_dump(mode="json", exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None}
