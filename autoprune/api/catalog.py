"""The names that may be used over HTTP, and what each stands for on the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from autoprune.api.problems import Problem
from autoprune.errors import AutopruneError, InputError
from autoprune.field_errors import Path as FieldPath
from autoprune.field_errors import complaints, named, sentence
from autoprune.spec import METRICS, Direction
from latency_tables.errors import LatencyTableError
from searchers.contract import SearcherError


class CatalogModel(BaseModel):
    """A model with its weights and task, as ``--model``, ``--weights`` and ``--task`` take them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    weights: str | None = None
    task: str | None = None


class CatalogMetric(BaseModel):
    """A metric of the operator's, as ``--metric`` takes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    direction: Direction


class CatalogFile(BaseModel):
    """What the operator lists beside the built-in names.

    Args:
        models: name -> model, weights and task.
        data: name -> what ``--data`` takes.
        metrics: name -> function and direction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: dict[str, CatalogModel] = {}
    data: dict[str, str] = {}
    metrics: dict[str, CatalogMetric] = {}


class Catalog(CatalogFile):
    """All names that may be used.

    Args:
        built_in_models: those of ``models`` that are the program's own.
        built_in_data: those of ``data``.
    """

    built_in_models: frozenset[str]
    built_in_data: frozenset[str]

    @classmethod
    def of(cls, values: Mapping[str, Any], built_in: Mapping[str, Mapping[str, Any]]) -> Catalog:
        """A catalog of a YAML file's values, with the built-in names.

        Args:
            built_in: names of ``models`` and ``data`` that nobody can take.

        Raises:
            InputError: a field is wrong, or a built-in name is taken.
        """
        try:
            own = CatalogFile.model_validate(values)
        except ValidationError as error:
            found = complaints(error.errors(), _fields_at)
            wrong = "; ".join(sentence(named(path), says) for path, says in found.items())
            raise InputError(f"the catalog cannot be used: {wrong}") from None
        taken = {*own.models, *own.data, *own.metrics} & {
            *METRICS,
            *built_in["models"],
            *built_in["data"],
        }
        if taken:
            raise InputError(
                f"the catalog cannot use the built-in names {', '.join(sorted(taken))}: take others"
            )
        return cls.model_validate(
            {
                "models": {**built_in["models"], **own.models},
                "data": {**built_in["data"], **own.data},
                "metrics": own.metrics,
                "built_in_models": frozenset(built_in["models"]),
                "built_in_data": frozenset(built_in["data"]),
            }
        )

    def resolve(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of a job file, in which names are what they stand for.

        Raises:
            Problem: a name that is not listed.
        """
        values = dict(given)
        if "model" in given:
            entry = _look_up("model", given["model"], self.models)
            values |= entry.model_dump(exclude_none=True)
        if "data" in given:
            values["data"] = _look_up("data", given["data"], self.data)
        metric = given.get("metric", {}).get("name")
        if metric is not None and metric not in METRICS:
            listed = _look_up("metric", metric, {**dict.fromkeys(METRICS), **self.metrics})
            values["metric"] = {"name": listed.metric, "direction": listed.direction}
        return values

    def unlisted(self, spec: Mapping[str, Any]) -> list[str]:
        """Fields of a stored job's spec that hold what is not listed, so nobody may ask for it."""
        network = CatalogModel(**{field: spec.get(field) for field in CatalogModel.model_fields})
        metrics = {*METRICS, *(entry.metric for entry in self.metrics.values())}
        listed = {
            "model": network in self.models.values(),
            "data": spec["data"] in self.data.values(),
            "metric": spec["metric"]["name"] in metrics,
        }
        return [field for field, holds in listed.items() if not holds]

    @contextmanager
    def told_by_name(self) -> Iterator[None]:
        """Errors inside tell names in place of what those stand for on the server."""
        try:
            yield
        except (AutopruneError, LatencyTableError, SearcherError) as error:
            text = str(error)
            for name, meaning in self._meanings():
                text = text.replace(meaning, name)
            error.args = (text,)
            raise

    def _meanings(self) -> list[tuple[str, str]]:
        """Names with what they stand for, and with the file of it; the longest first."""
        found = [(name, entry.model) for name, entry in self.models.items()]
        found += [(name, entry.weights) for name, entry in self.models.items() if entry.weights]
        found += [(name, entry.task) for name, entry in self.models.items() if entry.task]
        found += [*self.data.items(), *((n, entry.metric) for n, entry in self.metrics.items())]
        own = [(name, meaning) for name, meaning in found if name != meaning]
        files = [(n, part) for n, meaning in own for part in meaning.split(":") if "/" in part]
        return sorted({*own, *files}, key=lambda each: -len(each[1]))

    def name_of_model(self, model: str | None, weights: str | None) -> str | None:
        """The name of a model by what it stands for; None where it is not listed."""
        listed = (
            name
            for name, entry in self.models.items()
            if entry.model == model and entry.weights == weights
        )
        return next(listed, None)

    def name_of_data(self, data: str | None) -> str | None:
        """The name of data by what it stands for; None where it is not listed."""
        return next((name for name, spec in self.data.items() if spec == data), None)


def _fields_at(path: FieldPath) -> list[str]:
    """The fields of a catalog that may stand where a path leads."""
    parts: dict[str, type[BaseModel]] = {"models": CatalogModel, "metrics": CatalogMetric}
    return [*parts.get(str(path[0]) if len(path) > 1 else "", CatalogFile).model_fields]


def _look_up(what: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise Problem(
            "name-unknown", f"unknown {what} {name!r}; there is: {', '.join(sorted(known))}"
        )
    return known[name]
