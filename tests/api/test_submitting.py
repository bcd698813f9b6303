"""Jobs come in over HTTP: checked, frozen, queued once, and never measured for."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_server import Server, expect_problem, serving
from served_world import JOB, World
from tiny_program import run_program

from autoprune.api.job_request import JobRequest
from autoprune.api.request_fields import REFUSED
from autoprune.spec import JobSpec


@pytest.fixture
def submitted(server: Server, world: World) -> Iterator[Any]:
    """Submits a job; what is left in the queue is cancelled at the end."""

    def submit(body: dict[str, Any], key: str | None = None) -> Any:
        headers = {} if key is None else {"Idempotency-Key": key}
        return server.post("/v1/jobs", json=body, headers=headers)

    yield submit
    for job in world.store.jobs():
        if job.state == "queued":
            world.store.request_state(job.id, "cancelled")


def test_a_submitted_job_is_queued_as_the_command_would_freeze_it(
    server: Server, world: World, submitted: Any
) -> None:
    frozen = world.store.job(world.job).what
    # The newest calibration is the one that the finished job learned.
    answer = submitted({**JOB, "table": world.table, "calibration": frozen["calibration"]})
    assert answer.status_code == 201, answer.text
    job = answer.json()["job"]
    assert answer.headers["location"] == f"/v1/jobs/{job}"
    assert server.read(f"/v1/jobs/{job}")["state"] == "queued"
    assert job in world.store.waiting_jobs(), "a worker can take it"
    by_command, by_http = world.store.job(world.job), world.store.job(job)
    assert by_http.what_hash == by_command.what_hash
    assert by_http.how["spec"]["db"] == by_command.how["spec"]["db"]
    assert world.store.trials(job) == [], "the server runs nothing"


def test_a_job_without_a_table_takes_the_stored_one_that_fits(world: World, submitted: Any) -> None:
    answer = submitted({**JOB, "data": "tiny"})
    assert answer.status_code == 201, answer.text
    assert world.store.job(answer.json()["job"]).what["table"] == world.table


def test_a_table_is_named_by_the_start_of_its_hash(world: World, submitted: Any) -> None:
    answer = submitted({**JOB, "table": world.table[:12]})
    assert answer.status_code == 201, answer.text
    assert world.store.job(answer.json()["job"]).what["table"] == world.table


def test_a_job_that_would_need_a_measurement_is_refused_with_what_to_do(submitted: Any) -> None:
    for body in ({**JOB, "threads": 2}, {**JOB, "model": "autoprune:digits_cnn", "data": "digits"}):
        refused = expect_problem(submitted(body), "table-refused")
        assert "latency measure" in refused["detail"]


def test_the_same_key_and_body_get_the_first_answer(
    server: Server, world: World, submitted: Any
) -> None:
    key, before = str(uuid.uuid4()), len(world.store.jobs())
    first = submitted(JOB, key)
    assert first.status_code == 201, first.text
    server.post(f"/v1/jobs/{first.json()['job']}:pause")
    again = submitted(dict(reversed(JOB.items())), key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert len(world.store.jobs()) == before + 1
    refused = expect_problem(submitted({**JOB, "seed": 1}, key), "key-reused")
    assert first.json()["job"] in refused["detail"]
    assert submitted(JOB, str(uuid.uuid4())).json()["job"] != first.json()["job"]


def test_requests_with_one_key_at_once_make_one_job(world: World, submitted: Any) -> None:
    key, before = str(uuid.uuid4()), len(world.store.jobs())
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(submitted(JOB, key))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["job"] for answer in answers}) == 1
    assert len(world.store.jobs()) == before + 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
def test_a_key_that_cannot_be_kept_is_refused(submitted: Any, key: str) -> None:
    answer = submitted(JOB, key)
    expect_problem(answer, "key-invalid" if len(key) < 256 else "request-invalid")


def test_a_budget_under_the_floor_is_refused_with_what_makes_up_the_floor(
    world: World, submitted: Any
) -> None:
    before = len(world.store.jobs())
    refused = expect_problem(submitted({**JOB, "budget": "0.001%"}), "budget-infeasible")
    assert "under the floor" in refused["detail"]
    assert "what makes it up" in refused["detail"]
    assert len(world.store.jobs()) == before


def test_more_than_a_few_submissions_at_once_are_sent_away(submitted: Any) -> None:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(submitted(JOB))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [answer for answer in answers if answer.status_code != 201]
    assert 0 < len(refused) < 12
    for answer in refused:
        busy = answer.status_code == 503
        expect_problem(answer, "server-busy" if busy else "queue-full")
        assert int(answer.headers["retry-after"]) > 0


def test_a_full_queue_takes_no_more_until_there_is_room(
    server: Server, world: World, submitted: Any
) -> None:
    queued = [world.queue_copy() for _ in range(8)]
    answer = submitted(JOB)
    expect_problem(answer, "queue-full")
    assert answer.status_code == 429
    server.post(f"/v1/jobs/{queued[0]}:cancel")
    assert submitted(JOB).status_code == 201


def test_submissions_leave_no_connections_behind(server: Server, submitted: Any) -> None:
    def opened() -> int:
        return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))

    assert submitted(JOB).status_code == 201
    before = opened()
    for _ in range(6):
        assert submitted(JOB).status_code == 201
    # A pool of the server's own may have grown by a connection, which is up to three files.
    assert opened() <= before + 3


@pytest.mark.parametrize("field", sorted(REFUSED))
def test_paths_addresses_and_code_are_refused_by_name(submitted: Any, field: str) -> None:
    refused = expect_problem(submitted({**JOB, field: "/etc/passwd"}), "field-refused")
    assert refused["errors"] == [{"field": field, "says": REFUSED[field]}]


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"model": "os:system"}, "name-unknown"),
        ({"model": "tiny_net.py:network"}, "name-unknown"),
        ({"model": "../../secret.py:x"}, "name-unknown"),
        ({"data": "imagefolder:/etc"}, "name-unknown"),
        ({"data": "digits?image_size=4"}, "name-unknown"),
        ({"data": "stored:/etc/passwd"}, "name-unknown"),
        ({"metric": {"name": "os.path:exists", "direction": "maximize"}}, "name-unknown"),
        ({"table": "/etc/passwd"}, "request-invalid"),
        ({"table": {"cpu": "../table.json"}}, "request-invalid"),
        ({"calibration": "../x"}, "request-invalid"),
        ({"table": "abcdef"}, "table-refused"),
        ({"nonsense": 1}, "request-invalid"),
        ({"fidelity": {"steps": -1}}, "request-invalid"),
        ({"batch": 10**9}, "request-invalid"),
        ({"train_threads": 10**6}, "request-invalid"),
        ({"searcher_options": {"population": 10**9}}, "request-invalid"),
        ({"searcher_options": {"first": [[1]]}}, "request-invalid"),
        ({"searcher_options": {"nonsense": 1}}, "job-refused"),
        ({"searcher": "os.system"}, "job-refused"),
        ({"criterion": "os:system"}, "job-refused"),
        ({"runtime": "nonsense"}, "table-refused"),
        ({"budget": "fifty"}, "job-refused"),
        ({"budget": []}, "job-refused"),
        ({"trials": 0}, "job-refused"),
        ({"trials": "four"}, "request-invalid"),
        ({"rules": [{"layers": "first"}]}, "request-invalid"),
    ],
)
def test_a_job_that_cannot_be_used_is_refused(
    world: World, submitted: Any, changed: dict[str, Any], kind: str
) -> None:
    before = len(world.store.jobs())
    expect_problem(submitted({**JOB, **changed}), kind)
    assert len(world.store.jobs()) == before


def test_every_field_of_a_job_file_is_taken_or_refused() -> None:
    assert set(JobRequest.model_fields) | set(REFUSED) == set(JobSpec.model_fields)
    assert not set(JobRequest.model_fields) & set(REFUSED)


def test_a_file_named_like_a_hash_is_not_read(server: Server, world: World, submitted: Any) -> None:
    (world.folder / "abcdef12").write_text(json.dumps({"format": "autoprune latency table"}))
    refused = expect_problem(submitted({**JOB, "table": "abcdef12"}), "table-refused")
    assert "no table 'abcdef12'" in refused["detail"]


def test_the_names_that_may_be_used_are_listed(server: Server) -> None:
    models = {entry["name"]: entry["built_in"] for entry in server.read("/v1/models")["items"]}
    assert models["tiny"] is False
    assert models["autoprune:digits_cnn"] is True
    data = {entry["name"]: entry["built_in"] for entry in server.read("/v1/data")["items"]}
    assert data == {"digits": True, "tiny": False}


def test_a_name_is_built_in_by_where_it_comes_from(tmp_path: Path) -> None:
    """An operator's name may begin like a built-in one."""
    (tmp_path / "catalog.yaml").write_text(
        "models: {'autoprune:mine': {model: 'autoprune:vgg16_bn'}}\n"
        "data: {digits-of-ours: 'imagefolder:/srv/digits'}\n"
    )
    with serving(tmp_path, "--db", "jobs.db", "--catalog", "catalog.yaml") as own:
        models = {entry["name"]: entry["built_in"] for entry in own.read("/v1/models")["items"]}
        data = {entry["name"]: entry["built_in"] for entry in own.read("/v1/data")["items"]}
    assert (models["autoprune:mine"], models["autoprune:vgg16_bn"]) == (False, True)
    assert data == {"digits": True, "digits-of-ours": False}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: {x: {model: 'autoprune:nothing'}}", "autoprune:nothing"),
        ("models: {x: {model: 'autoprune:vgg16_bn', weights: gone.pt}}", "gone.pt"),
        ("models: {digits: {model: 'autoprune:vgg16_bn'}}", "built-in names digits"),
        ("models: {x: {model: 'no_such_module:f'}}", "no_such_module"),
        ("modles: {}", "modles"),
        ("built_in_models: [mine]", "built_in_models"),
        ("- a list", "must hold fields"),
    ],
)
def test_a_catalog_that_cannot_be_used_ends_the_server_at_its_start(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "catalog.yaml").write_text(text)
    said = run_program("serve", "--catalog", "catalog.yaml", "--port", "0", folder=tmp_path)
    assert said.code == 2
    assert says in said.err
