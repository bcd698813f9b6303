"""The command line documents itself, and docs/commands.md follows it."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def page(root: Path) -> ModuleType:
    """The program that writes the page."""
    spec = importlib.util.spec_from_file_location("make_commands", root / "docs/make_commands.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_argument_and_option_has_help(page: ModuleType) -> None:
    silent = [
        f"{name} {parameter.name}"
        for name, command in page.commands()
        for parameter in command.params
        if not parameter.help
    ]
    silent += [name for name, command in page.commands() if not command.help]
    assert silent == []


def test_the_page_is_what_the_program_says(page: ModuleType, root: Path) -> None:
    written = (root / "docs/commands.md").read_text(encoding="utf-8")
    assert written == page.page_text(), "run 'make docs'"


def test_the_commands_of_the_design_exist(page: ModuleType) -> None:
    names = {name for name, _ in page.commands()}
    design = ["search", "resume", "jobs", "show", "trials", "export", "verify", "compare"]
    tables = ("measure", "show", "check", "export", "import", "merge")
    nested = (*(f"latency {name}" for name in tables), "db upgrade")
    assert {f"autoprune {name}" for name in (*design, *nested)} <= names


def test_the_installed_program_prints_its_help(program: str) -> None:
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    assert "latency" in shown.stdout


def test_a_wrong_option_is_invalid_input(program: str) -> None:
    shown = subprocess.run([program, "search", "--nonsense"], capture_output=True, text=True)
    assert shown.returncode == 2
    assert "--nonsense" in shown.stderr
    assert shown.stdout == ""
