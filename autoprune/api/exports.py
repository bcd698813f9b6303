"""GET /v1/jobs/{id}/export: the bundle of a finished job, as a zip."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import BinaryIO

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from autoprune.api.answers import JobId, problems
from autoprune.api.jobs import check_done
from autoprune.api.problems import Problem
from autoprune.api.service import service_of

router = APIRouter(tags=["jobs"])
_PIECE = 2**18


@router.get(
    "/v1/jobs/{job}/export",
    summary="The bundle of a finished job",
    response_class=Response,
    response_model=None,
    responses={
        200: {
            "description": "A zip of schedule.json, model.safetensors, model.onnx, report.html. "
            "`Repr-Digest` is its hash.",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(
            *("job-unknown", "job-unfinished", "bundle-missing", "request-invalid"),
            "storage-unavailable",
        ),
    },
)
def export(request: Request, job: JobId) -> StreamingResponse:
    """What `autoprune export JOB` writes; a worker stores it when the job is done."""
    trials = service_of(request).trials
    check_done(trials.position(job), job)
    sha256 = trials.job(job).results.get("bundle_archive")
    if sha256 is None:
        raise Problem(
            "bundle-missing",
            f"job {job} was not run by a worker: 'autoprune export {job} --out DIR' on the server "
            "writes its bundle",
        )
    file = trials.open_artifact(sha256)
    digest = base64.b64encode(bytes.fromhex(sha256)).decode()
    return StreamingResponse(
        _pieces(file),
        media_type="application/zip",
        headers={
            "Content-Length": str(os.fstat(file.fileno()).st_size),
            "Content-Disposition": f'attachment; filename="autoprune-{job}.zip"',
            "Repr-Digest": f"sha-256=:{digest}:",
        },
    )


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
