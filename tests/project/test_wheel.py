"""The built wheel holds everything, and works away from the repository."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import site
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from autoprune.models.registry import build_model


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Without hatchling here, build fetches it into an environment of its own.
    offline = ["--no-isolation"] if importlib.util.find_spec("hatchling") else []
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", *offline, "--outdir", str(folder), str(root)],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; its dependencies are those installed here."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    here = site.getsitepackages()
    (packages / "dependencies.pth").write_text("\n".join(here) + "\n", encoding="utf-8")
    return folder


def run(environment: Path, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [str(environment / "bin" / command[0]), *command[1:]],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )


def test_from_a_wheel_an_extra_is_installed_by_its_packages(
    environment: Path, tmp_path: Path, pyproject: dict[str, Any]
) -> None:
    """There is no checkout to install again, and nothing of this name on an index."""
    asked = "from autoprune.extras import install_command; print(install_command('server'))"
    said = run(environment, ["python", "-c", asked], tmp_path)
    _python, *words = shlex.split(said.stdout)
    packages = pyproject["project"]["optional-dependencies"]["server"]
    assert words[:3] == ["-m", "pip", "install"]
    assert sorted(words[3:]) == sorted(packages)


def test_the_wheel_holds_every_package_and_every_file_read_at_run_time(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {
        "autoprune",
        "searchers",
        "latency_tables",
    }
    assert {
        "autoprune/trials/migrations/env.py",
        "autoprune/trials/migrations/script.py.mako",
        "autoprune/export/schedule.schema.json",
        "autoprune/export/templates/report.html.j2",
        "autoprune/export/scripts/figures.js",
        "searchers/testing/conformance.py",
    } <= names
    assert any(name.startswith("autoprune/trials/migrations/versions/") for name in names)
    assert any(name.endswith("LICENSE") for name in names)
    assert not any("__pycache__" in name or name.startswith("tests/") for name in names)


def test_the_wheel_holds_every_file_of_its_packages(root: Path, wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(
        ["git", "ls-files", "autoprune", "searchers", "latency_tables"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(listed.stdout.splitlines()) - names == set()


def test_the_installed_packages_are_those_of_the_wheel(environment: Path, tmp_path: Path) -> None:
    code = "import autoprune, searchers, latency_tables as t; print(autoprune, searchers, t)"
    shown = run(environment, ["python", "-c", code], tmp_path)
    assert shown.stdout.count(str(environment)) == 3, shown.stderr


def test_the_wheel_runs_a_search_from_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    assert run(environment, ["autoprune", "search", "--help"], tmp_path).returncode == 0
    torch.manual_seed(0)
    weights = tmp_path / "weights.safetensors"
    save_file(build_model("autoprune:digits_cnn", classes=10).state_dict(), weights)
    quick = (
        "--divisor 12 --min-keep 0.25 --budget 70% --trials 2 --steps 1 --race-steps 1 "
        "--finetune-epochs 0 --workers 2 --json --weights"
    )
    searched = run(environment, ["autoprune", "search", *quick.split(), str(weights)], tmp_path)
    assert searched.returncode == 0, searched.stderr
    shown = json.loads(searched.stdout)
    assert shown["trials"] == 2
    assert (tmp_path / "autoprune-out" / shown["job"] / "report.html").exists()
    listed = run(environment, ["autoprune", "jobs", "--json"], tmp_path)
    assert [job["job"] for job in json.loads(listed.stdout)] == [shown["job"]]


@pytest.mark.soak
def test_the_wheel_runs_the_default_search(environment: Path, tmp_path: Path) -> None:
    searched = run(environment, ["autoprune", "search", "--json"], tmp_path)
    assert searched.returncode == 0, searched.stderr
    shown = json.loads(searched.stdout)
    assert shown["trials"] == 40
    assert shown["best"]["measured_latency_s"] <= shown["budget"]["latency_s"]
