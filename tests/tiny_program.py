"""The program run inside this process, and a search that takes a second."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from autoprune.cli.main import main

TINY = Path(__file__).with_name("tiny_net.py")
SPACE = ("--divisor", "16", "--min-keep", "0.25")
NETWORK = ("--model", f"{TINY}:network", "--data", f"{TINY}:split_loaders", *SPACE)
QUICK = (
    *("--trials", "4", "--steps", "2", "--batch-size", "16", "--race-steps", "3"),
    *("--finetune-epochs", "1", "--workers", "1", "--searcher", "legr"),
)


@dataclass(frozen=True)
class Said:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]
"""Runs a command with something that the test did not have to say."""


def run_program(*words: str | Path, folder: Path) -> Said:
    """`autoprune WORDS...` in this process, in ``folder``."""
    out, err = StringIO(), StringIO()
    before = signal.getsignal(signal.SIGTERM)
    argv = ["autoprune", *map(str, words)]
    with patch.object(sys, "argv", argv), chdir(folder), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = 0 if ended.code is None else int(ended.code)
        finally:
            signal.signal(signal.SIGTERM, before)
    return Said(code, out.getvalue(), err.getvalue())


def expect_done(said: Said) -> Said:
    assert said.code == 0, said.err
    return said


@dataclass(frozen=True)
class FinishedJob:
    """A finished search in a folder of its own, read by many tests and changed by none."""

    folder: Path
    said: Said

    @property
    def shown(self) -> dict[str, Any]:
        return dict(self.said.json)

    @property
    def job(self) -> str:
        return str(self.shown["job"])

    @property
    def db(self) -> Path:
        return self.folder / "jobs.db"

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    def run(self, *words: str | Path) -> Said:
        return run_program(*words, "--db", self.db, folder=self.folder)


def contents_of(db: Path) -> list[str]:
    """Every row of a SQLite database, as SQL."""
    with sqlite3.connect(db) as connection:
        return list(connection.iterdump())


def snapshot(folder: Path) -> dict[str, object]:
    """What a folder holds: databases by their rows, other files by their bytes."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".db" and path.is_file() and path.read_bytes()[:6] == b"SQLite":
            found[name] = contents_of(path)
        elif not name.endswith(("-wal", "-shm", ".pyc")):
            found[name] = path.read_bytes() if path.is_file() else None
    return found
