"""The job spec: everything a search is asked for, as the command line, YAML and Python say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from autoprune.budget import Bound, check_tables, parse_budget
from autoprune.errors import InputError
from autoprune.field_errors import Path as FieldPath
from autoprune.field_errors import complaints, named, sentence
from autoprune.rules import Rule, list_of_rules, lists_of_patterns

DEFAULT_MODEL = "autoprune:digits_cnn"
DEFAULT_DATA = "digits"
Direction = Literal["minimize", "maximize"]
METRICS: dict[str, Direction] = {
    "loss": "minimize",
    "calibrated-loss": "minimize",
    "accuracy": "maximize",
}
"""Those that need no function of the user's, and which way they are better."""
IN_MEMORY = "<in memory>"
"""What a spec names a model or dataset that came as a Python object."""


def _as_list(value: object) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)  # YAML reads 50 as a number; the budget then says what it lacks
    return [value] if isinstance(value, str) else value


def texts_of(budget: object) -> list[str]:
    """The bounds of a budget as a file or the command line gives it; empty where it is none."""
    bounds = _as_list(budget)
    return [str(bound) for bound in bounds] if isinstance(bounds, list | tuple) else []


def _absolute(value: object) -> object:
    return str(Path(value).expanduser().absolute()) if isinstance(value, str) and value else value


def _database(value: object) -> object:
    if isinstance(value, str) and "?" not in value:
        value = value.removeprefix("sqlite:///")
    if isinstance(value, str) and "://" not in value:
        return _absolute(value)
    return value


def _device(value: str) -> str:
    if re.fullmatch(r"cpu|cuda(:(0|[1-9][0-9]?))?", value) is None:
        raise ValueError(f"expected cpu, cuda, or cuda:N with a GPU's number, got {value!r}")
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FidelitySpec(_Strict):
    """How much short finetuning and validation one score gets."""

    steps: int = Field(30, ge=0)
    batch_size: int = Field(64, ge=2)
    learning_rate: float = Field(0.01, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    reconstruction_batches: int = Field(8, ge=0)
    recalibration_batches: int = Field(20, ge=0)
    validation_images: int = Field(0, ge=0)
    teacher: float = Field(0.5, ge=0, le=1)


class MetricSpec(_Strict):
    """What trials are ranked by.

    Args:
        direction: of :data:`METRICS` it is known; of one's own function it must be said.
    """

    name: str = "calibrated-loss"
    direction: Direction | None = None

    @model_validator(mode="after")
    def _not_turned_round(self) -> Self:
        known = METRICS.get(self.name)
        if known is not None and self.direction not in (None, known):
            raise ValueError(f"the better {self.name} is known: {known}; leave the direction out")
        return self

    @property
    def best(self) -> Direction:
        """The direction, said or known."""
        if self.direction is not None:
            return self.direction
        if self.name not in METRICS:
            raise InputError(
                f"metric {self.name!r}: say which scores are better, with --maximize or --minimize "
                "(direction: maximize in a job file)"
            )
        return METRICS[self.name]


_MOST_URGENT = 1_000_000


class JobSpec(_Strict):
    """One search job.

    Args:
        task: name of an ``autoprune.Task``, where the network is for something else than image
            classification.
        from_job: id of a job whose evaluations this one begins with.
        table: file or hash; or several by name, each for the bounds of its name.
        calibration: hash of one of the table's, in place of the newest; or several by name.
        rules: other legal widths for the groups of single layers; later ones win.
        tied: lists of patterns of layers; the groups that one list matches have one width.
        probe_images: validation images of one probe; 0 means all. Few searchers probe.
        warm_start: ``solver`` lets another searcher begin with the solver's first answer.
        race_steps: finetune steps of each finalist; None is four times a trial's.
        finetune_epochs: of the chosen network, at the end.
        keep_dominated: search also the widths that a wider one of their group is as fast as.
        train_threads: threads of one training process; scores are exact for a fixed number.
        train_device: ``cpu``, ``cuda`` or ``cuda:N``: where networks are trained and scored.
            Latency is measured by ``runtime``, wherever that runs.
        ray_gpus: GPUs that each worker asks Ray for; a fraction is shared with others.
        priority: of a job in the queue; workers take higher ones first.
    """

    model: str = DEFAULT_MODEL
    weights: Annotated[str | None, BeforeValidator(_absolute)] = None
    data: str = DEFAULT_DATA
    task: str | None = None
    budget: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ("50%",)
    from_job: str | None = None
    table: str | Annotated[dict[str, str], Field(min_length=1)] | None = None
    calibration: str | Annotated[dict[str, str], Field(min_length=1)] | None = None
    runtime: str = "onnxruntime"
    batch: int = Field(1, ge=1)
    threads: int = Field(1, ge=1)
    searcher: str = "solver"
    searcher_options: dict[str, Any] = {}
    warm_start: Literal["solver"] | None = None
    trials: int = Field(40, ge=1)
    seed: int = Field(0, ge=0)
    lookahead: int = Field(4, ge=1)
    criterion: str = "l2"
    ignore: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    divisor: int | None = Field(None, ge=1)
    min_keep: float = Field(0.1, gt=0, le=1)
    rules: Annotated[tuple[Rule, ...], BeforeValidator(list_of_rules)] = ()
    tied: Annotated[tuple[tuple[str, ...], ...], BeforeValidator(lists_of_patterns)] = ()
    keep_dominated: bool = False
    metric: MetricSpec = MetricSpec()
    fidelity: FidelitySpec = FidelitySpec()
    probe_images: int = Field(256, ge=0)
    race_steps: int | None = Field(None, ge=0)
    finetune_epochs: int = Field(2, ge=0)
    finetune_learning_rate: float = Field(0.01, gt=0)
    train_threads: int = Field(1, ge=1)
    train_device: Annotated[str, AfterValidator(_device)] = "cpu"
    workers: int | None = Field(None, ge=1)
    executor: Literal["local", "ray"] = "local"
    address: str | None = None
    ray_gpus: float = Field(0.0, ge=0)
    db: Annotated[str, BeforeValidator(_database)] = Field("autoprune.db", validate_default=True)
    artifacts: Annotated[str | None, BeforeValidator(_absolute)] = None
    out: Annotated[str | None, BeforeValidator(_absolute)] = None
    unmeasured: bool = False
    priority: int = Field(0, ge=-_MOST_URGENT, le=_MOST_URGENT)

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The budget, read."""
        return parse_budget(self.budget)

    @property
    def tables(self) -> dict[str, str | None]:
        """The latency tables by name, in the order of the budget; the only one has no name."""
        if not isinstance(self.table, dict):
            return {"": self.table}
        return {b.table: self.table[b.table] for b in self.bounds if b.table}

    @property
    def only_table(self) -> str | None:
        """The latency table, of a spec that names no several."""
        if isinstance(self.table, dict):
            raise InputError(f"expected one latency table, got {', '.join(self.table)}")
        return self.table

    @property
    def only_calibration(self) -> str | None:
        """The calibration that is asked for, of a spec that names no several tables."""
        return None if isinstance(self.calibration, dict) else self.calibration

    @property
    def is_default_job(self) -> bool:
        """Whether this is the embedded default, whose network the job trains itself."""
        named = (self.model, self.data) == (DEFAULT_MODEL, DEFAULT_DATA)
        return named and self.weights is None and self.task is None

    @property
    def steps_of_race(self) -> int:
        """Finetune steps of each finalist: twice a trial's would tell hardly anything new."""
        return 4 * self.fidelity.steps if self.race_steps is None else self.race_steps


_PARTS: dict[str, type[BaseModel]] = {
    "fidelity": FidelitySpec,
    "metric": MetricSpec,
    "rules": Rule,
}
"""Fields that hold fields."""


def load_values(path: Path | None, overrides: dict[str, Any]) -> dict[str, Any]:
    """Fields from a YAML file (or none) with the command line's values on top; not checked yet."""
    return merged({} if path is None else read_yaml(path), overrides)


def merged(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Fields with others on top; of a field that holds fields, only those that are given."""
    result = dict(values)
    for key, value in overrides.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = {**result[key], **value}
        else:
            result[key] = value
    return result


def make_spec(values: dict[str, Any], source: str = "the job") -> JobSpec:
    """Validate a spec; raises InputError naming every field that is wrong."""
    try:
        spec = JobSpec.model_validate(values)
    except ValidationError as error:
        found = complaints(error.errors(), fields_at)
        lines = [_told(path, says, values) for path, says in found.items()]
        raise InputError(f"{source} cannot be used: " + "; ".join(lines)) from None
    check_tables(spec.bounds, spec.table if isinstance(spec.table, dict) else {})
    return spec


def unreadable_fields(values: Mapping[str, Any]) -> list[str]:
    """Paths of a stored spec's fields that this version cannot read: a newer one wrote them."""
    try:
        JobSpec.model_validate(values)
    except ValidationError as error:
        return sorted({".".join(map(str, item["loc"])) for item in error.errors()})
    return []


def fields_at(path: FieldPath) -> list[str]:
    """The fields of a job file that may stand where a path leads."""
    return [*_PARTS.get(str(path[0]) if len(path) > 1 else "", JobSpec).model_fields]


def _told(path: FieldPath, says: str, values: Mapping[str, Any]) -> str:
    """One field that is wrong; a rule is also told by its pattern."""
    where, rules = named(path), values.get("rules")
    if len(path) > 1 and path[0] == "rules" and isinstance(rules, list | tuple):
        rule = rules[int(path[1])]
        pattern = rule.get("layers") if isinstance(rule, dict) else None
        where += f" (layers: {pattern})" if pattern else ""
    return sentence(where, says)


def read_yaml(path: Path, what: str = "job file") -> dict[str, Any]:
    """The fields of a YAML file; raises InputError where it holds none.

    Args:
        what: kind of file, for messages.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the {what} {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"the {what} {path} is not text: expected YAML in UTF-8") from None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"the {what} {path} is not YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(
            f"the {what} {path} must hold fields such as 'budget: 50%', got a "
            f"{type(values).__name__}"
        )
    return values
