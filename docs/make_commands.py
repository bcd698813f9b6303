"""Writes ``docs/commands.md`` from the program itself, so that the two cannot differ.

Run ``make docs`` after a change of the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from autoprune.cli.main import app

PAGE = Path(__file__).with_name("commands.md")
INTRODUCTION = """\
# Commands

Made by `make docs` from the program's own help; do not edit.

Results go to stdout, words and progress to stderr. With `--json`, stdout holds one JSON document
and nothing else. Exit codes: 0 done, 1 failed, 2 invalid input, 3 budget infeasible, 130
interrupted (the command that resumes is the last line). A field of a
[job file](quickstart.md#a-job-file) and the option of the same name mean the same; where both are
given, the option counts.
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its full name, in the order of the help."""
    yield from _walk("autoprune", typer.main.get_command(app))


def page_text() -> str:
    """The page as the file holds it."""
    found = list(commands())
    contents = "\n".join(f"- [`{name}`](#{_anchor(name)}): {_summary(c)}" for name, c in found)
    sections = "\n".join(_section(name, command) for name, command in found)
    return f"{INTRODUCTION}\n{contents}\n\n{sections}"


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child, nested in children.items():
        yield from _walk(f"{name} {child}", nested)


def _section(name: str, command: Any) -> str:
    parameters = [item for item in command.params if item.name != "help"]
    arguments = [item for item in parameters if item.param_type_name == "argument"]
    options = [item for item in parameters if item.param_type_name == "option"]
    usage = [name, *(_metavar(item) for item in arguments), *(["[OPTIONS]"] if options else [])]
    lines = [f"## {name}", "", f"    {' '.join(usage)}", "", " ".join(command.help.split()), ""]
    if parameters:
        lines += ["| | |", "| --- | --- |"]
        lines += [_row(f"`{_metavar(item)}`", item) for item in arguments]
        lines += [_row(_flags(item), item) for item in options]
        lines.append("")
    return "\n".join(lines)


def _row(shown: str, parameter: Any) -> str:
    notes = [parameter.help]
    if parameter.default not in (None, False, ()):
        default = parameter.opts[0] if parameter.default is True else parameter.default
        notes.append(f"Default: `{default}`.")
    if parameter.envvar:
        notes.append(f"Also from `${parameter.envvar}`.")
    if parameter.required and parameter.param_type_name == "option":
        notes.append("Required.")
    return f"| {shown} | {' '.join(notes)} |".replace("\n", " ")


def _flags(option: Any) -> str:
    on = ", ".join(f"`{flag}`" for flag in option.opts)
    if option.secondary_opts:
        return f"{on} / " + ", ".join(f"`{flag}`" for flag in option.secondary_opts)
    return on


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _summary(command: Any) -> str:
    return str(command.help.split("\n\n")[0].replace("\n", " "))


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page_text(), encoding="utf-8")
