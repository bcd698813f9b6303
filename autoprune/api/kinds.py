"""The kinds of problems, by the end of their type ``urn:autoprune:problem:KIND``."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of problem."""

    status: int
    title: str


KINDS = {
    "body-unreadable": Kind(400, "The body cannot be read"),
    "cursor-invalid": Kind(400, "The cursor cannot be used here"),
    "event-unknown": Kind(400, "No such event"),
    "key-invalid": Kind(400, "The Idempotency-Key cannot be used"),
    "unauthorized": Kind(401, "A valid token is needed"),
    "client-refused": Kind(403, "Only this machine may ask without a token"),
    "not-found": Kind(404, "There is nothing here"),
    "job-unknown": Kind(404, "No such job"),
    "table-unknown": Kind(404, "No such table"),
    "method-not-allowed": Kind(405, "This cannot be done here"),
    "body-late": Kind(408, "The body took too long"),
    "job-state": Kind(409, "The job is in another state"),
    "job-unfinished": Kind(409, "The job is not finished"),
    "bundle-missing": Kind(409, "No bundle is stored for this job"),
    "body-too-large": Kind(413, "The body is too large"),
    "media-type": Kind(415, "The body is of another kind"),
    "request-invalid": Kind(422, "Fields are wrong"),
    "field-refused": Kind(422, "Fields that cannot be given over HTTP"),
    "name-unknown": Kind(422, "No such name"),
    "job-refused": Kind(422, "The job cannot be accepted"),
    "budget-infeasible": Kind(422, "No schedule meets the budget"),
    "table-refused": Kind(422, "The latency table cannot be used"),
    "key-reused": Kind(422, "The Idempotency-Key was used for another body"),
    "queue-full": Kind(429, "Too many jobs are queued"),
    "internal": Kind(500, "The server made a mistake"),
    "server-busy": Kind(503, "Too much is being asked at once"),
    "database-unavailable": Kind(503, "The trial database cannot be used"),
    "storage-unavailable": Kind(503, "A stored file cannot be read"),
}
