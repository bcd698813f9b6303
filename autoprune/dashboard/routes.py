"""GET / and /assets/NAME: the page, which may load nothing but these and the API."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from autoprune.dashboard.files import PageFile

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",  # plotly draws pictures of its charts by these
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""No inline script or style: text of a job that found its way into the page could run nothing."""

_HEADERS = {
    "Cache-Control": "no-cache",  # kept, and asked for by its tag
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}


def page_router(files: Mapping[str, PageFile]) -> APIRouter:
    """The routes of the page.

    Args:
        files: name -> file; ``index.html`` is the page.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def page(request: Request) -> Response:
        return _answer(request, files["index.html"])

    @router.get("/assets/{name}")
    def asset(request: Request, name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "no such file of the page")
        return _answer(request, files[name])

    return router


def _answer(request: Request, file: PageFile) -> Response:
    """The file, unless the browser has it already."""
    headers = {**_HEADERS, "ETag": file.tag}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    content = file.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = file.compressed, "gzip"
    return Response(content, media_type=file.media_type, headers=headers)
