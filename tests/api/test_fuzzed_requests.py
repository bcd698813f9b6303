"""Requests made up from the OpenAPI document: no mistake of the server, no answer undescribed."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from running_server import serving
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served_world import World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def document(
    sqlite_world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[schemathesis.BaseSchema]:
    """The document of a server whose database has jobs, but no table to price a new one by."""
    folder: Path = tmp_path_factory.mktemp("fuzzed")
    with (
        contextlib.closing(sqlite3.connect(sqlite_world.db)) as source,
        contextlib.closing(sqlite3.connect(folder / "jobs.db")) as copy,
    ):
        source.backup(copy)
        copy.execute("DELETE FROM calibrations")
        copy.execute("DELETE FROM tables")
        copy.commit()
    with serving(folder, "--db", "jobs.db", "--artifacts", sqlite_world.artifacts) as running:
        yield schemathesis.openapi.from_url(f"{running.url}/openapi.json")


QUICKLY = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_makes_the_server_err(
    document: schemathesis.BaseSchema, sqlite_world: World, mode: GenerationMode
) -> None:
    """Both requests that follow the document and such that break it."""
    asked = 0

    def ask(case: schemathesis.Case) -> None:
        nonlocal asked
        job = str((case.path_parameters or {}).get("job", ""))
        if job[:1] in set("01234567"):  # half of them ask for one that there is
            case.path_parameters["job"] = sqlite_world.job
        case.call_and_validate(checks=CHECKS, timeout=60)
        asked += 1

    for found in document.get_all_operations():
        operation = found.ok()
        made_up = operation.as_strategy(generation_mode=mode)
        with contextlib.suppress(Unsatisfiable):  # nothing of it can be wrong
            QUICKLY(given(case=made_up)(ask))()
    assert asked > 50
