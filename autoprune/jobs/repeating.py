"""The command line that repeats a search."""

from __future__ import annotations

import json
import shlex

from autoprune.errors import UnknownJobError
from autoprune.jobs.devices import Tables
from autoprune.jobs.inheriting import inherited_fields
from autoprune.spec import IN_MEMORY, JobSpec
from autoprune.trials.records import Json
from autoprune.trials.store import TrialStore

_OPTIONS = {
    "model", "weights", "data", "task", "searcher", "trials", "seed", "lookahead", "runtime",
    "batch", "threads", "criterion", "divisor", "min_keep", "race_steps", "finetune_epochs",
    "finetune_learning_rate", "train_threads", "train_device", "db",
}  # fmt: skip
"""Fields with an option of their own; the others are given with --set."""
_HOW = {
    "table", "calibration", "workers", "executor", "address", "artifacts", "out", "unmeasured",
    "ray_gpus", "priority",
}  # fmt: skip
"""Fields that change no digest, and the table and its calibration, which are named by hash."""


def _said(spec: JobSpec, inherited: Json) -> Json:
    """The fields that a command has to give, and of fields that hold fields only the others."""
    unsaid = {**JobSpec().model_dump(mode="json"), **inherited}
    if spec.from_job is not None:
        del unsaid["trials"]  # without them nothing would be searched
    said = {}
    for field, value in spec.model_dump(mode="json").items():
        had = unsaid.get(field)
        if value == had or field in {*_HOW, "budget", "from_job"}:
            continue
        if isinstance(value, dict) and isinstance(had, dict):
            value = {key: item for key, item in value.items() if key not in had or item != had[key]}
        said[field] = value
    return said


def command_of(spec: JobSpec, tables: Tables, inherited: Json | None = None) -> str:
    """The command line that repeats a search; fields it has without being told are left out.

    Args:
        tables: with their calibrations, by name; the only one has no name.
        inherited: fields of the job that it begins with, in place of the defaults.
    """
    if IN_MEMORY in (spec.model, spec.data, spec.task):
        return "autoprune.search(...) from Python, with the same model and loaders"
    words = ["autoprune", "search"]
    words += ["--from", spec.from_job] if spec.from_job else []
    for bound in spec.budget:
        words += ["--budget", bound]
    for field, value in _said(spec, inherited or {}).items():
        if field in _OPTIONS and value is not None:
            words += [f"--{field.replace('_', '-')}", str(value)]
        else:
            words += ["--set", f"{field}={json.dumps(value)}"]
    for name, priced in tables.items():
        table, calibration = priced.table.hash[:16], priced.calibration.hash[:16]
        words += ["--table", f"{name}={table}"] if name else ["--table", table]
        words += (
            ["--calibration", f"{name}={calibration}"] if name else ["--calibration", calibration]
        )
    return shlex.join([*words, *(["--unmeasured"] * spec.unmeasured)])


def unsaid_fields(store: TrialStore, spec: JobSpec) -> Json:
    """The fields that a repeated search has without being told."""
    if spec.from_job is None:
        return {}
    try:
        return inherited_fields(store.job(spec.from_job), spec.searcher)
    except UnknownJobError:
        return {}  # the search can be repeated no more; it can be resumed and exported
