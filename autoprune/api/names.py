"""GET /v1/models and /v1/data: the names that may be used."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fastapi import APIRouter, Request
from starlette.responses import Response

from autoprune.api import documents
from autoprune.api.answers import answer, problems, returns
from autoprune.api.service import service_of

router = APIRouter(tags=["names"])


@router.get(
    "/v1/models",
    summary="The models that may be searched",
    response_model=None,
    responses={**returns(documents.Names, "Built-in ones, and the operator's."), **problems()},
)
def models(request: Request) -> Response:
    """A name stands for a model and its weights; which, is said in the server's catalog."""
    catalog = service_of(request).catalog
    return _names(catalog.models, catalog.built_in_models)


@router.get(
    "/v1/data",
    summary="The data that may be searched on",
    response_model=None,
    responses={**returns(documents.Names, "Built-in ones, and the operator's."), **problems()},
)
def data(request: Request) -> Response:
    """A name stands for data that the server reads; which, is said in its catalog."""
    catalog = service_of(request).catalog
    return _names(catalog.data, catalog.built_in_data)


def _names(names: Iterable[str], built_in: Collection[str]) -> Response:
    items = [{"name": name, "built_in": name in built_in} for name in sorted(names)]
    return answer({"items": items})
