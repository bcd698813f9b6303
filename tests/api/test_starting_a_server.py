"""What keeps a server from starting is said in one line."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_program import run_program

from autoprune.extras import install_command

WITHOUT = """
import sys

sys.modules["{name}"] = None
sys.argv = ["autoprune", *{words}]
from autoprune.cli.main import main

main()
"""


def without(name: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The program where a package is not installed."""
    code = WITHOUT.format(name=name, words=list(words))
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["fastapi", "uvicorn"])
def test_without_the_extra_it_says_what_to_install(tmp_path: Path, name: str) -> None:
    said = without(name, tmp_path, "serve", "--port", "0")
    assert said.returncode == 2
    assert f"needs {name}" in said.stderr
    assert install_command("server") in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_other_commands_need_no_extra(tmp_path: Path) -> None:
    said = without("fastapi", tmp_path, "token", "create", "ci", "--db", "jobs.db")
    assert said.returncode == 0, said.stderr


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = run_program("serve", "--port", port, folder=tmp_path)
    assert said.code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in said.err
    assert "--port" in said.err


def test_postgresql_needs_a_folder_for_artifacts(tmp_path: Path) -> None:
    said = run_program("serve", "--db", "postgresql://u:secret@127.0.0.1:9/x", folder=tmp_path)
    assert said.code == 2
    assert "--artifacts" in said.err
    assert "secret" not in said.err
