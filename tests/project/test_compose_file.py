"""docker-compose.yml and Dockerfile are complete and consistent, as far as reading can tell."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from compose import read_compose

from autoprune.trials.engine import PASSWORD_FILE

SERVICES = ("postgres", "worker", "api", "ray-head", "ray-worker")
OURS = SERVICES[1:]
SERVICE_KEYS = {
    "image", "build", "user", "working_dir", "init", "environment", "profiles", "entrypoint",
    "command", "depends_on", "volumes", "healthcheck", "ports", "shm_size", "restart", "secrets",
}  # fmt: skip
HEALTHCHECK_KEYS = {"test", "interval", "timeout", "retries", "start_period", "disable"}


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    return read_compose(root / "docker-compose.yml")


@pytest.fixture(scope="module")
def instructions(root: Path) -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments."""
    text = (root / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_services_are_there(compose: dict[str, Any]) -> None:
    assert tuple(compose["services"]) == SERVICES
    top = {key for key in compose if not key.startswith("x-")}
    assert top == {"name", "services", "secrets", "volumes"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_what_it_runs_and_how_its_health_shows(
    name: str, compose: dict[str, Any]
) -> None:
    service = compose["services"][name]
    assert set(service) <= SERVICE_KEYS
    assert "image" in service
    assert isinstance(service["command"], list)
    assert all(isinstance(word, str) for word in service["command"])
    health = service["healthcheck"]
    assert set(health) <= HEALTHCHECK_KEYS
    assert health.get("disable") is True or health["test"][0] == "CMD"


def test_every_volume_is_declared_and_every_declared_one_used(compose: dict[str, Any]) -> None:
    mounts = [m for service in compose["services"].values() for m in service["volumes"]]
    sources = {mount.partition(":")[0] for mount in mounts}
    assert {source for source in sources if source[0] not in "./"} == set(compose["volumes"])


def test_dependencies_exist_and_show_their_health(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for other, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "test" in compose["services"][other]["healthcheck"]


def test_database_and_clients_agree(compose: dict[str, Any]) -> None:
    server = compose["services"]["postgres"]["environment"]
    for name in ("worker", "api", "ray-head"):
        client = compose["services"][name]["environment"]
        user, database = server["POSTGRES_USER"], server["POSTGRES_DB"]
        assert client["AUTOPRUNE_DB"] == f"postgresql://{user}@postgres/{database}"


def test_server_and_clients_read_the_password_from_one_secret(
    compose: dict[str, Any], root: Path
) -> None:
    """A file of the user's, which neither git nor the image takes, and no setting repeats."""
    assert compose["secrets"]["db_password"] == {"file": "./db-password.txt"}
    assert holders(compose, "db_password") == {"postgres", "worker", "api", "ray-head"}
    for name in holders(compose, "db_password"):
        service = compose["services"][name]
        variable = "POSTGRES_PASSWORD_FILE" if name == "postgres" else PASSWORD_FILE
        assert service["environment"][variable] == "/run/secrets/db_password"
    for service in compose["services"].values():
        named = {key for key in service["environment"] if "PASSWORD" in key}
        assert named <= {"POSTGRES_PASSWORD_FILE", PASSWORD_FILE}
    assert ignored_by_git("db-password.txt", root)


def test_the_nodes_of_ray_and_nobody_else_read_its_token_from_one_secret(
    compose: dict[str, Any], root: Path
) -> None:
    """Without a default: a token that stands in this repository would keep nobody out."""
    assert compose["secrets"]["ray_token"] == {"file": "./ray-token.txt"}
    assert holders(compose, "ray_token") == {"ray-head", "ray-worker"}
    asked = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/run/secrets/ray_token"}
    for name, service in compose["services"].items():
        named = {k: v for k, v in service["environment"].items() if k.startswith("RAY_AUTH")}
        assert named == (asked if name in holders(compose, "ray_token") else {})
    assert ignored_by_git("ray-token.txt", root)


def holders(compose: dict[str, Any], secret: str) -> set[str]:
    """The services that are given a secret."""
    return {n for n, each in compose["services"].items() if secret in each.get("secrets", [])}


def ignored_by_git(name: str, root: Path) -> bool:
    return subprocess.run(["git", "check-ignore", "--quiet", name], cwd=root).returncode == 0


def test_artifacts_and_caches_lie_on_a_volume(compose: dict[str, Any]) -> None:
    for name in ("worker", "api", "ray-head"):
        service = compose["services"][name]
        mounted = [mount.split(":")[1] for mount in service["volumes"]]
        for variable in ("AUTOPRUNE_ARTIFACTS", "AUTOPRUNE_CACHE"):
            path = service["environment"][variable]
            assert any(path.startswith(f"{folder}/") for folder in mounted)


def test_workers_start_with_the_database_and_again_after_they_ended(
    compose: dict[str, Any],
) -> None:
    worker = compose["services"]["worker"]
    assert worker["command"] == ["worker"]
    assert "profiles" not in worker
    assert worker["restart"] == compose["services"]["postgres"]["restart"] == "unless-stopped"
    assert "postgres" in worker["depends_on"]


def test_who_measures_shares_one_tmp_for_the_lock(compose: dict[str, Any]) -> None:
    for name in ("worker", "ray-head"):
        assert "scratch:/tmp" in compose["services"][name]["volumes"]
    head = compose["services"]["ray-head"]["command"]
    assert not any(word.startswith("--temp-dir=/tmp") for word in head)


def test_no_container_of_ours_runs_as_root_and_only_the_api_is_reached_from_this_machine(
    compose: dict[str, Any], instructions: list[tuple[str, str]]
) -> None:
    for name in OURS:
        assert not compose["services"][name]["user"].startswith(("0", "root"))
    ports = {name: service.get("ports", []) for name, service in compose["services"].items()}
    assert ports.pop("api") == ["127.0.0.1:8000:8000"]
    assert not any(ports.values())
    users = [rest for word, rest in instructions if word == "USER"]
    assert users == ["autoprune"]


def test_what_the_dockerfile_copies_is_tracked_and_not_ignored(
    root: Path, instructions: list[tuple[str, str]]
) -> None:
    sources = [s for word, rest in instructions if word == "COPY" for s in rest.split()[:-1]]
    ignore = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True)
    tracked = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    assert len(sources) == 7
    assert set(sources) <= tracked
    assert {f"!{source}" for source in sources} <= set(ignore)


def test_the_image_holds_the_packages_of_the_wheel(
    pyproject: dict[str, Any], instructions: list[tuple[str, str]]
) -> None:
    copied = {s for word, rest in instructions if word == "COPY" for s in rest.split()[:-1]}
    assert set(pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= copied


def test_the_image_installs_extras_that_exist(
    pyproject: dict[str, Any], instructions: list[tuple[str, str]]
) -> None:
    installs = [rest for word, rest in instructions if word == "RUN" and "pip install" in rest]
    match = re.search(r'"\.\[([\w,]+)\]"', " ".join(installs))
    assert match is not None
    assert set(match[1].split(",")) <= set(pyproject["project"]["optional-dependencies"])


def test_no_secret_is_in_the_image(instructions: list[tuple[str, str]]) -> None:
    settings = " ".join(rest for word, rest in instructions if word in ("ARG", "ENV", "COPY"))
    assert not re.search(r"password|token|secret|\.env\b", settings, re.IGNORECASE)


def test_the_image_runs_the_program(
    pyproject: dict[str, Any], instructions: list[tuple[str, str]]
) -> None:
    entrypoint = next(rest for word, rest in instructions if word == "ENTRYPOINT")
    assert json.loads(entrypoint)[0] in pyproject["project"]["scripts"]


def test_the_image_is_of_the_version_built(
    compose: dict[str, Any], pyproject: dict[str, Any]
) -> None:
    version = pyproject["project"]["version"]
    for name in OURS:
        assert compose["services"][name]["image"] == f"autoprune:{version}"
