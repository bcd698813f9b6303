"""/v1/tables: the latency tables of the database."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response

from autoprune.api import documents
from autoprune.api.answers import TableHash, answer, problems, returns
from autoprune.api.pages import Cursor, Limit, page, place_of
from autoprune.api.problems import Problem
from autoprune.api.service import Service, service_of
from autoprune.api.strict_json import StrictRequest, StrictRoute
from autoprune.jobs.table_documents import read_document
from autoprune.jobs.table_files import find_calibrations, keep_table
from autoprune.jobs.table_summary import about, shown
from autoprune.trials.records import Json
from latency_tables.table import Table


class TableRequest(StrictRequest):
    """A request whose body may be a table."""

    most_bytes = 16 * 2**20


class TableRoute(StrictRoute):
    """A route that takes tables."""

    readers = {"application/json": TableRequest}  # noqa: RUF012


_FILE = "A file that `autoprune latency measure --out` or `latency export` wrote."
router = APIRouter(tags=["tables"], route_class=TableRoute)


@router.get(
    "/v1/tables",
    summary="The tables, newest first",
    response_model=None,
    responses={
        **returns(documents.TablePage, "A page of tables."),
        **problems("cursor-invalid", "request-invalid"),
    },
)
def tables(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=50, description="Most items of the page.")] = 20,
    cursor: Cursor = None,
) -> Response:
    """One page; a job names a table by its hash."""
    service = service_of(request)
    place = place_of(cursor, "tables", (int,))
    found = service.tables.page(limit, before=place[0] if place else None)
    rows = [_line(service, hash) for _, hash in found]
    return answer(page(rows, limit, "tables", [found[-1][0]] if found else None))


@router.get(
    "/v1/tables/{table}",
    summary="One table",
    response_model=None,
    responses={
        **returns(documents.Table, "The table, and a page of its entries."),
        **problems("cursor-invalid", "table-unknown", "request-invalid"),
    },
)
def table(
    request: Request, table: TableHash, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """What `autoprune latency show TABLE --entries --json` prints, in pages."""
    service, of = service_of(request), f"entries {table}"
    place = place_of(cursor, of, (int,))
    document = _document(service, table)
    first = place[0] if place else 0
    entries = document["entries"][first : first + limit]
    calibrations = find_calibrations(table, service.tables)
    return answer(
        {
            **_line(service, table),
            "calibrations": [shown(each) for each in calibrations],
            **page(entries, limit, of, [first + len(entries)] if entries else None),
        }
    )


@router.post(
    "/v1/tables",
    summary="Store a table",
    status_code=201,
    response_model=None,
    responses={
        **returns(documents.StoredTable, "The table is stored, with its calibrations.", 201),
        **problems(
            "body-unreadable",
            "body-late",
            "body-too-large",
            "media-type",
            "request-invalid",
            "table-refused",
        ),
    },
)
def store(request: Request, file: Annotated[dict[str, Any], Body(description=_FILE)]) -> Response:
    """Sealed by the hash of its content: the same table again changes nothing."""
    found, calibrations = read_document(file)
    keep_table(found, calibrations, service_of(request).tables)
    content = {**about(found), "calibrations": [shown(each) for each in calibrations]}
    return answer(content, 201, {"Location": f"/v1/tables/{found.hash}"})


def _document(service: Service, hash: str) -> Json:
    def read() -> Json:
        document = service.tables.table(hash)
        if document is None:
            raise Problem("table-unknown", f"no table {hash} in this database: see /v1/tables")
        return document

    return service.sealed.answer(hash, read)


def _line(service: Service, hash: str) -> Json:
    return service.lines.answer(hash, lambda: about(Table.from_json(_document(service, hash))))
