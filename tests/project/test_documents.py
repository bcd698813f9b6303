"""What the documents say can be done: links lead somewhere, commands exist, fields are fields."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from autoprune.cli.main import app
from autoprune.spec import FidelitySpec, JobSpec, MetricSpec, make_spec

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_MAKE = re.compile(r"\bmake ([a-z]+)\b")


def documents(root: Path) -> list[Path]:
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("examples/**/*.md")])


def headings(text: str) -> set[str]:
    """Anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_lead_to_existing_files_and_headings(root: Path) -> None:
    broken = []
    for document in documents(root):
        for link in _LINK.findall(document.read_text(encoding="utf-8")):
            if "://" in link:
                continue
            name, _, anchor = link.partition("#")
            target = (document.parent / name).resolve() if name else document
            if not target.exists():
                broken.append(f"{document.relative_to(root)}: {link}")
            elif anchor and anchor not in headings(target.read_text(encoding="utf-8")):
                broken.append(f"{document.relative_to(root)}: no heading for {link}")
    assert broken == []


def make_targets(root: Path) -> set[str]:
    text = (root / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", text, re.MULTILINE))


def test_make_commands_in_documents_are_targets(root: Path) -> None:
    named = {
        target
        for name in ("README.md", "CONTRIBUTING.md", "docs/commands.md", "docs/quickstart.md")
        for code in re.findall(r"`([^`\n]+)`|^    (.+)$", (root / name).read_text(), re.MULTILINE)
        for target in _MAKE.findall(" ".join(code))
    }
    assert {"search", "test"} <= named
    assert named <= make_targets(root)


def test_the_first_screen_of_the_readme_has_the_two_commands(root: Path) -> None:
    screen = "\n".join((root / "README.md").read_text(encoding="utf-8").splitlines()[:25])
    assert "make search" in screen
    assert "make test" in screen


def test_every_make_target_can_be_planned(root: Path) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", *sorted(make_targets(root))], cwd=root, capture_output=True, text=True
    )
    assert planned.returncode == 0, planned.stderr


def shown_commands(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Every line of a document's code that calls the program, as words."""
    for document in documents(root):
        text = document.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            line = re.sub(
                r"^docker compose (?:run --rm worker|exec ray-head autoprune) ",
                "autoprune ",
                line.strip(),
            )
            if line.startswith("autoprune ") and "`" not in line and "..." not in line:
                words = shlex.split(line, comments=True)
                if "[OPTIONS]" not in words:
                    yield f"{document.relative_to(root)}: {line}", words


def find_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words that are left."""
    command: Any = typer.main.get_command(app)
    rest = words[1:]
    while getattr(command, "commands", None) is not None:
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def test_commands_in_documents_exist_with_their_options(root: Path) -> None:
    shown = list(shown_commands(root))
    assert len(shown) > 10
    unknown = []
    for where, words in shown:
        try:
            command, rest = find_command(words)
        except (KeyError, IndexError):
            unknown.append(where)
            continue
        legal = {name for item in command.params for name in (*item.opts, *item.secondary_opts)}
        given = {word.partition("=")[0] for word in rest if word.startswith("-")}
        unknown += [f"{where}: {option}" for option in given - legal]
    assert unknown == []


@pytest.fixture(scope="module")
def job_file(root: Path) -> dict[str, Any]:
    """The job file of the quickstart, which explains every field."""
    text = (root / "docs/quickstart.md").read_text(encoding="utf-8")
    match = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert match is not None
    values: dict[str, Any] = yaml.safe_load(match[1])
    return values


def test_the_quickstart_explains_every_field_of_a_job_file(job_file: dict[str, Any]) -> None:
    assert list(job_file) == list(JobSpec.model_fields)
    assert list(job_file["metric"]) == list(MetricSpec.model_fields)
    assert list(job_file["fidelity"]) == list(FidelitySpec.model_fields)


def test_the_quickstart_states_the_defaults(job_file: dict[str, Any]) -> None:
    own = ("model", "weights", "data")
    shown = make_spec({key: value for key, value in job_file.items() if key not in own})
    assert shown == make_spec({"db": "autoprune.db"})


@pytest.fixture(scope="module")
def dependencies(pyproject: dict[str, Any]) -> set[str]:
    """Names of everything the project and its extras ask for."""
    extras = chain(*pyproject["project"]["optional-dependencies"].values())
    required = [*pyproject["project"]["dependencies"], *extras]
    return {re.split(r"[\[<>=~;!]", item)[0] for item in required} - {"autoprune"}


def test_every_dependency_is_explained(root: Path, dependencies: set[str]) -> None:
    page = (root / "docs/dependencies.md").read_text(encoding="utf-8")
    unknown = {name for name in dependencies if not re.search(rf"\b{re.escape(name)}\b", page)}
    assert unknown == set()


def test_every_dependency_is_pinned(root: Path, dependencies: set[str]) -> None:
    pins = (root / "constraints.txt").read_text(encoding="utf-8")
    pinned = {line.partition("==")[0].lower() for line in pins.splitlines()}
    assert {name.lower() for name in dependencies} - pinned == set()


def test_the_changelog_has_the_version(root: Path, pyproject: dict[str, Any]) -> None:
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {pyproject['project']['version']}" in text
