"""Who may ask: holders of a token, or this machine alone while there is none."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from running_server import Server, expect_problem, serving
from served_world import JOB
from tiny_program import Said, expect_done, run_program

ROUTES = ("/v1", "/v1/jobs", "/v1/models", "/v1/jobs/00000000/events", "/v1/nothing")


def command(folder: Path, *words: str) -> Said:
    return run_program(*words, "--db", "jobs.db", folder=folder)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server whose database holds a token."""
    folder = tmp_path_factory.mktemp("guarded")
    token = expect_done(command(folder, "token", "create", "ci")).out.strip()
    with serving(folder, "--db", "jobs.db", token=token) as running:
        yield running, folder


def test_a_token_opens_everything_and_nothing_else_does(guarded: tuple[Server, Path]) -> None:
    server, _ = guarded
    assert server.read("/v1/jobs") == {"items": [], "next": None}
    token = server.token
    assert token is not None
    wrong = (
        *("", "Bearer", "Bearer ", f"Basic {token}", token, f"Bearer {token}x"),
        *(f"Bearer {token[:-1]}", "Bearer autoprune_" + "A" * 43, f"Bearer {token},{token}"),
    )
    answers = [
        server.get(path, headers={"Authorization": value}) for path in ROUTES for value in wrong
    ]
    answers += [requests.get(server.url + path, timeout=30) for path in ROUTES]
    answers += [server.post("/v1/jobs", json=JOB, headers={"Authorization": "Bearer x"})]
    for answer in answers:
        expect_problem(answer, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert len({answer.text for answer in answers}) == 1, "no refusal says more than another"


def test_a_token_in_the_query_is_none(guarded: tuple[Server, Path]) -> None:
    server, _ = guarded
    for name in ("token", "access_token"):
        answer = requests.get(f"{server.url}/v1/jobs?{name}={server.token}", timeout=30)
        expect_problem(answer, "unauthorized")


def test_health_and_the_openapi_document_need_no_token(guarded: tuple[Server, Path]) -> None:
    server, _ = guarded
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert requests.get(server.url + path, timeout=30).status_code == 200


def test_with_a_token_any_name_of_the_server_will_do(guarded: tuple[Server, Path]) -> None:
    server, _ = guarded
    headers = {"Host": "search.example.org", "Origin": "https://pages.example.org"}
    assert server.get("/v1/jobs", headers=headers).status_code == 200


def test_no_log_and_no_row_holds_a_token(guarded: tuple[Server, Path]) -> None:
    server, folder = guarded
    assert server.token is not None
    requests.get(f"{server.url}/v1/jobs?token={server.token}", timeout=30)
    server.get("/v1/jobs")
    with sqlite3.connect(folder / "jobs.db") as connection:
        stored = "\n".join(connection.iterdump())
    secret = server.token.removeprefix("autoprune_")
    assert len(secret) == 43, "256 bits"
    assert secret not in stored + "".join(server.log)
    assert "GET /v1/jobs 200" in "".join(server.log)
    assert " ci\n" in "".join(server.log), "the log names who asked"


def test_a_revoked_token_is_refused_and_the_last_one_leaves_the_server_shut(
    tmp_path: Path,
) -> None:
    first = expect_done(command(tmp_path, "token", "create", "one")).out.strip()
    with serving(tmp_path, "--db", "jobs.db", token=first) as server:
        assert server.get("/v1/jobs").status_code == 200
        expect_done(command(tmp_path, "token", "revoke", "one"))
        time.sleep(1.2)
        server.refused("unauthorized", "GET", "/v1/jobs")
        server.token = None
        server.refused("unauthorized", "GET", "/v1/jobs")
        second = command(tmp_path, "token", "create", "two", "--json").json["token"]
        time.sleep(1.2)
        server.token = second
        assert server.get("/v1/jobs").status_code == 200
    listed = command(tmp_path, "token", "list", "--json").json
    assert [(row["name"], row["revoked"] is None) for row in listed] == [
        ("one", False),
        ("two", True),
    ]


def test_a_name_is_given_once(tmp_path: Path) -> None:
    expect_done(command(tmp_path, "token", "create", "ci"))
    said = command(tmp_path, "token", "create", "ci")
    assert (said.code, said.out) == (2, "")
    assert "take another name" in said.err
    assert command(tmp_path, "token", "create", "a b").code == 2
    said = command(tmp_path, "token", "revoke", "nobody")
    assert said.code == 2
    assert "no token 'nobody'" in said.err


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "x@127.0.0.1", "10.0.0.1", "", "[::2]:80"]
)
def test_without_tokens_a_name_that_is_not_this_machines_is_refused(
    server: Server, host: str
) -> None:
    """A page of another site can make its own name point here."""
    refused = server.refused("client-refused", "GET", "/v1/jobs", headers={"Host": host})
    assert refused["status"] == 403
    assert server.get("/healthz", headers={"Host": "10.0.0.1"}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:9", "LOCALHOST:80"])
def test_without_tokens_this_machines_own_names_will_do(server: Server, host: str) -> None:
    assert server.get("/v1/jobs", headers={"Host": host}).status_code == 200


def test_without_tokens_a_page_of_another_origin_is_refused(server: Server) -> None:
    own = server.url
    for origin in ("https://evil.example", "null", "http://localhost:1", own + "0"):
        refused = server.ask("POST", "/v1/jobs/00000000:cancel", headers={"Origin": origin})
        expect_problem(refused, "client-refused")
    server.refused("job-unknown", "POST", "/v1/jobs/00000000:cancel", headers={"Origin": own})


def test_an_address_that_others_reach_needs_a_token_first(tmp_path: Path) -> None:
    said = command(tmp_path, "serve", "--host", "0.0.0.0", "--port", "0")
    assert said.code == 2
    assert "autoprune token create" in said.err


def test_a_forwarded_address_makes_nobody_this_machine(tmp_path: Path) -> None:
    token = expect_done(command(tmp_path, "token", "create", "ci")).out.strip()
    with serving(tmp_path, "--db", "jobs.db", "--host", "0.0.0.0", token=token) as server:
        server.url = server.url.replace("0.0.0.0", "127.0.0.1")
        assert server.get("/v1/jobs").status_code == 200
        server.token = None
        headers = {"X-Forwarded-For": "127.0.0.1", "Host": "localhost"}
        server.refused("unauthorized", "GET", "/v1/jobs", headers=headers)
