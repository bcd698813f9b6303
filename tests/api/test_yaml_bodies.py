"""A job file may come as YAML: the same job as in JSON, and nothing that YAML has beside."""

from __future__ import annotations

import time

import pytest
import yaml
from running_server import Server
from served_world import JOB

from autoprune.api.problems import Problem
from autoprune.api.strict_yaml import read_yaml

YAML = {"Content-Type": "application/yaml; charset=utf-8"}


def test_the_same_job_in_yaml_and_in_json_is_one_request(server: Server) -> None:
    key = {"Idempotency-Key": "in-either"}
    first = server.post("/v1/jobs", json={**JOB, "seed": 77}, headers=key)
    text = "# mine\n" + yaml.safe_dump({**JOB, "seed": 77})
    again = server.post("/v1/jobs", data=text, headers={**YAML, **key})
    assert (first.status_code, again.status_code) == (201, 201), first.text + again.text
    assert again.json() == first.json()
    server.post(f"/v1/jobs/{first.json()['job']}:cancel")


def test_fields_are_refused_in_yaml_as_in_json(server: Server) -> None:
    found = server.refused(
        "field-refused", "POST", "/v1/jobs", data="weights: mine.pt", headers=YAML
    )
    assert found["errors"][0]["field"] == "weights"


def test_other_routes_take_no_yaml(server: Server) -> None:
    server.refused("media-type", "POST", "/v1/tables", data="{}", headers=YAML)


def test_a_long_file_is_refused(server: Server) -> None:
    long = "a: " + "b" * 2**16
    server.refused("body-too-large", "POST", "/v1/jobs", data=long, headers=YAML)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("a: 1\nb: [x, 2.5, true, null]", {"a": 1, "b": ["x", 2.5, True, None]}),
        ("a: 2026-11-25", {"a": "2026-11-25"}),
        ("- 1", [1]),
    ],
)
def test_plain_values_are_read(text: str, value: object) -> None:
    assert read_yaml(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x",
        "a: &x 1",
        "a: 1\na: 2",
        "1: a",
        "[1, 2]: a",
        "a: .nan",
        "a: -.inf",
        "a: !!python/object/apply:os.system [ls]",
        "a: !!binary aGk=",
        "a: !!set {x, y}",
        'a: "\\ud800"',
        'a: "\\0"',
        "a: 1\n--- \nb: 2",
        "a: [",
        "[" * 60_000,
        "{a: " * 5_000,
        "- " * 30_000,
    ],
    ids=lambda text: text[:24],
)
def test_whatever_else_yaml_has_is_refused_at_once(text: str) -> None:
    begun = time.monotonic()
    with pytest.raises(Problem) as refused:
        read_yaml(text.encode())
    assert refused.value.kind == "body-unreadable"
    assert time.monotonic() - begun < 5


def test_text_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(Problem):
        read_yaml(b"\xff\xfea: 1")
