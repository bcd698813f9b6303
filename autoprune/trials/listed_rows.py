"""A line of the list of jobs, from the columns that are read for it.

A newer version may have stored another kind of value in a job's documents. Its job is listed all
the same, without what cannot be read: one row never hides the others.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, Row, case
from sqlalchemy.orm import InstrumentedAttribute

from autoprune.trials.models import Job
from autoprune.trials.records import JobListed


def listed_columns() -> tuple[ColumnElement[Any] | InstrumentedAttribute[Any], ...]:
    """What :func:`listed_job` reads."""
    spec, trials, score = Job.how["spec"], Job.what["trials"], Job.base["score"]
    # PostgreSQL answers nothing at all where one row's text is no number.
    return (
        *(Job.id, Job.state, Job.stage, Job.created, Job.priority),
        Job.what["searcher"].as_string().label("searcher"),
        case((_reads(trials, _INTEGER), trials.as_integer())).label("trials"),
        Job.what["metric"]["direction"].as_string().label("direction"),
        case((_reads(score, _FLOAT), score.as_float())).label("base_score"),
        Job.how["budget"].label("budget"),
        spec["model"].as_string().label("model"),
        spec["weights"].as_string().label("weights"),
        spec["data"].as_string().label("data"),
    )


def listed_job(row: Row[*tuple[Any, ...]]) -> JobListed:
    """One line; None, or no text of the budget, where a value is none of this version's."""
    return JobListed(**{**row._mapping, "budget": _texts(row.budget)})


_INTEGER = "^[0-9]{1,9}$"
_FLOAT = "^-?[0-9]{1,30}([.][0-9]{1,30})?([eE][+-]?[0-9]{1,2})?$"


def _reads(stored: Any, pattern: str) -> ColumnElement[bool]:
    """Whether a value's text is a number that no cast refuses."""
    text: ColumnElement[str] = stored.as_string()
    return text.regexp_match(pattern)


def _texts(stored: Any) -> tuple[str, ...]:
    found = stored if isinstance(stored, list) else [] if stored is None else [stored]
    return tuple(each if isinstance(each, str) else json.dumps(each) for each in found)
