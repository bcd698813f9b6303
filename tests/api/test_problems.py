"""Every refusal is a problem document, also those of the framework and of the protocol."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from running_server import Server, expect_problem
from served_world import World

from autoprune.api.kinds import KINDS

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}


def raw(server: Server, request: bytes) -> bytes:
    """What the server answers to bytes of one's own."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    ("kind", "method", "path", "more"),
    [
        ("not-found", "GET", "/nothing", {}),
        ("not-found", "GET", "/assets/nothing.js", {}),
        ("not-found", "GET", "/v1", {}),
        ("not-found", "GET", "/v1/nothing", {}),
        ("not-found", "GET", "/v1/jobs/", {}),
        ("not-found", "GET", "/v1/jobs/zzzzzzzz", {}),
        ("not-found", "GET", "/v1/jobs/..%2f..%2fetc%2fpasswd", {}),
        ("not-found", "GET", "/v1/jobs/%00%00%00%00%00%00%00%00", {}),
        ("not-found", "GET", "/v1/tables/..%2f..%2fjobs.db", {}),
        ("method-not-allowed", "POST", "/v1/jobs/00000000:explode", {}),
        ("job-unknown", "GET", "/v1/jobs/00000000", {}),
        ("job-unknown", "GET", "/v1/jobs/00000000/trials", {}),
        ("job-unknown", "GET", "/v1/jobs/00000000/schedule", {}),
        ("job-unknown", "GET", "/v1/jobs/00000000/front", {}),
        ("job-unknown", "GET", "/v1/jobs/00000000/export", {}),
        ("job-unknown", "GET", "/v1/jobs/00000000/events", {}),
        ("job-unknown", "POST", "/v1/jobs/00000000:pause", {}),
        ("job-unknown", "POST", "/v1/jobs/00000000:resume", {}),
        ("job-unknown", "POST", "/v1/jobs/00000000:cancel", {}),
        ("table-unknown", "GET", f"/v1/tables/{'0' * 64}", {}),
        ("method-not-allowed", "DELETE", "/v1/jobs", {}),
        ("method-not-allowed", "PUT", "/v1/jobs/00000000", {}),
        ("method-not-allowed", "POST", "/healthz", {}),
        ("request-invalid", "GET", "/v1/jobs?limit=0", {}),
        ("request-invalid", "GET", "/v1/jobs?limit=many", {}),
        ("request-invalid", "GET", "/v1/jobs?state=sleeping", {}),
        ("request-invalid", "POST", "/v1/jobs", {"data": "[]", "headers": JSON}),
        ("request-invalid", "POST", "/v1/jobs", {"data": '"x"', "headers": JSON}),
        ("request-invalid", "POST", "/v1/jobs", {"data": "", "headers": JSON}),
        ("media-type", "POST", "/v1/jobs", {"data": "{}"}),
        ("media-type", "POST", "/v1/jobs", {"data": "{}", "headers": TEXT}),
        ("media-type", "POST", "/v1/tables", {"data": "{}"}),
    ],
)
def test_every_refusal_is_a_problem(
    server: Server, kind: str, method: str, path: str, more: dict[str, Any]
) -> None:
    server.refused(kind, method, path, **more)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'a': 1}",
        b'{"trials": NaN}',
        b'{"trials": Infinity}',
        b'{"min_keep": 1e999}',
        b'{"trials": 1, "trials": 2}',
        b'{"budget": "\xff"}',
        b'{"budget": "\\u0000"}',
        b'{"budget": "\\ud800"}',
        '{"trials": 1}'.encode("utf-16"),
        b'{"trials": ' + b"9" * 5000 + b"}",
        b'{"rules": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 100_000,
        b'{"a":' * 5000,
    ],
)
def test_a_body_that_has_no_one_reading_is_refused(server: Server, body: bytes) -> None:
    server.refused("body-unreadable", "POST", "/v1/jobs", data=body, headers=JSON)


def test_brackets_in_strings_are_not_depth(server: Server) -> None:
    body = json.dumps({"ignore": ["[" * 100 + '"\\']})
    refused = server.ask("POST", "/v1/jobs", data=body, headers=JSON)
    assert refused.json()["type"] != "urn:autoprune:problem:body-unreadable", refused.text


def test_a_body_that_is_too_large_is_refused_before_it_is_read(server: Server) -> None:
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = raw(server, head + b"Content-Length: 1073741824\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"urn:autoprune:problem:body-too-large" in answer


@pytest.mark.parametrize(("path", "most"), [("/v1/jobs", 2**20), ("/v1/tables", 2**24)])
def test_a_body_in_pieces_is_bounded_too(server: Server, path: str, most: int) -> None:
    def pieces() -> Any:
        for _ in range(most // 2**16 + 1):
            yield b" " * 2**16

    try:
        answer = server.post(path, data=pieces(), headers=JSON)
    except OSError:
        return  # the server closed the connection while more was being sent
    expect_problem(answer, "body-too-large")


def test_a_job_of_the_largest_size_is_read(server: Server) -> None:
    body = b"{" + b" " * (2**20 - 2) + b"}"
    answer = server.post("/v1/jobs", data=body, headers=JSON)
    assert answer.status_code != 413


def test_a_wrong_method_is_told_the_right_ones(server: Server) -> None:
    assert server.ask("DELETE", "/v1/jobs").headers["allow"] == "GET, POST"


def test_no_refusal_shows_a_traceback_or_the_database(server: Server, world: World) -> None:
    for path in ("/v1/jobs/00000000", "/v1/nothing", "/v1/jobs?limit=0"):
        text = server.get(path).text
        assert "Traceback" not in text
        assert world.db not in text


def test_health_needs_nothing_and_readiness_the_database(server: Server) -> None:
    assert server.read("/healthz") == {"status": "alive"}
    assert server.read("/readyz") == {"status": "ready"}


def test_the_documents_explain_every_kind_of_problem() -> None:
    page = (Path(__file__).parents[2] / "docs/service.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    assert set(KINDS) <= explained


def test_the_openapi_document_describes_every_answer(server: Server) -> None:
    document = server.read("/openapi.json")
    assert document["openapi"].startswith("3.")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            for status, answer in operation["responses"].items():
                assert answer["description"], (method, path, status)
                for media_type, content in answer["content"].items():
                    assert "schema" in content, (method, path, status)
                    refused = int(status) >= 400
                    assert (media_type == "application/problem+json") == refused
    assert "HTTPValidationError" not in document["components"]["schemas"]
