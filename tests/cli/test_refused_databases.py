"""Databases and jobs that cannot be used."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_program import FinishedJob, Said, run_program

Refused = Callable[..., str]
Tiny = tuple[str, ...]

READERS = (
    ("worker", "--drain"),
    ("jobs",),
    ("show", "1234"),
    ("trials", "1234"),
    ("compare", "1234"),
    ("resume", "1234"),
)


@pytest.fixture
def copied(finished: FinishedJob, tmp_path: Path) -> FinishedJob:
    """The finished job in this test's own folder, to be changed."""
    with sqlite3.connect(finished.db) as source, sqlite3.connect(tmp_path / "jobs.db") as copy:
        source.backup(copy)
    shutil.copytree(finished.folder / "jobs.artifacts", tmp_path / "jobs.artifacts")
    return FinishedJob(tmp_path, finished.said)


def change(db: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(db) as connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


def make_newer(db: Path) -> None:
    change(db, "UPDATE autoprune_revision SET version_num = '9999'")


@pytest.mark.parametrize("command", ["search", "jobs", "resume", "latency", "db"])
def test_a_database_of_a_newer_revision_is_refused(
    command: str, copied: FinishedJob, refused: Refused, tiny: Tiny
) -> None:
    make_newer(copied.db)
    words = {
        "search": ("search", *tiny),
        "jobs": ("jobs",),
        "resume": ("resume", copied.job),
        "latency": ("latency", "show"),
        "db": ("db", "upgrade"),
    }[command]
    refused(2, ("jobs.db", "9999", "newer"), *words, "--db", copied.db)


def test_a_folder_is_no_database(refused: Refused, tmp_path: Path, tiny: Tiny) -> None:
    (tmp_path / "folder").mkdir()
    refused(2, ("folder", "--db"), "search", *tiny, "--db", "folder")


def test_a_file_of_something_else_is_no_database(
    refused: Refused, tmp_path: Path, tiny: Tiny
) -> None:
    (tmp_path / "letter.txt").write_text("Dear all, this is a letter. " * 100)
    for words in (("search", *tiny), ("jobs",)):
        refused(2, ("letter.txt", "not a SQLite database"), *words, "--db", "letter.txt")


def test_a_database_under_a_file_cannot_be_made(
    refused: Refused, tmp_path: Path, tiny: Tiny
) -> None:
    (tmp_path / "letter.txt").write_text("Dear all")
    refused(2, ("letter.txt", "--db"), "search", *tiny, "--db", "letter.txt/jobs.db")


def test_an_address_that_cannot_be_read_is_refused(refused: Refused, tiny: Tiny) -> None:
    refused(2, ("mysql",), "search", *tiny, "--db", "mysql://here/jobs")


@pytest.mark.parametrize("words", READERS, ids=lambda words: words[0])
def test_reading_makes_no_database(words: tuple[str, ...], refused: Refused) -> None:
    says = ("there is no trial database", "absent.db", "--db", "'autoprune search'", "--queue")
    refused(2, says, *words, "--db", "absent.db")


@pytest.mark.parametrize("command", ["show", "trials", "compare", "resume", "export"])
def test_a_job_that_does_not_exist_is_refused(
    command: str, refused: Refused, copied: FinishedJob
) -> None:
    more = ("--out", "out") if command == "export" else ()
    refused(2, ("'ffff0000'", "autoprune jobs"), command, "ffff0000", *more, "--db", copied.db)


def test_an_unfinished_job_cannot_be_exported(refused: Refused, copied: FinishedJob) -> None:
    change(copied.db, "UPDATE jobs SET state = 'paused', stage = 'race' WHERE id = ?", copied.job)
    refused(
        2,
        (copied.job, "paused", f"autoprune resume {copied.job}"),
        *("export", copied.job, "--out", "out", "--db", copied.db),
    )


def elsewhere(job: FinishedJob) -> None:
    """Make it a job that another machine left in the middle."""
    change(
        job.db,
        "UPDATE jobs SET environment = 'torch 1.0; cpu ELSE', state = 'paused', stage = 'search', "
        "results = '{}' WHERE id = ?",
        job.job,
    )


def test_another_environment_is_refused_and_accepted_when_told_to(
    copied: FinishedJob, refused: Refused
) -> None:
    elsewhere(copied)
    words = ("resume", copied.job, "--db", copied.db, "--out", "again")
    refused(2, ("torch 1.0; cpu ELSE", "--accept-environment"), *words)
    accepted = run_program(*words, "--accept-environment", "--json", folder=copied.folder)
    assert accepted.code == 0, accepted.err
    assert accepted.json["timing_dependent"] is True
    assert accepted.json["state"] == "finished"


ON_A_GPU = (
    "UPDATE jobs SET environment = 'torch 1.0, a GPU', "
    "how = json_set(how, '$.spec.train_device', 'cuda:64') WHERE id = ?"
)


def test_a_job_of_a_gpu_is_exported_where_there_is_none(copied: FinishedJob) -> None:
    change(copied.db, ON_A_GPU, copied.job)
    said = copied.run("export", copied.job, "--out", copied.folder / "again", "--json")
    assert said.code == 0, said.err


def test_a_job_of_a_gpu_goes_on_elsewhere_only_when_told_to(
    copied: FinishedJob, refused: Refused
) -> None:
    elsewhere(copied)
    change(copied.db, ON_A_GPU, copied.job)
    words = ("resume", copied.job, "--db", copied.db, "--out", "again", "--accept-environment")
    refused(2, ("'cuda:64' is not here", "--train-device cpu"), *words)
    accepted = run_program(*words, "--train-device", "cpu", "--json", folder=copied.folder)
    assert accepted.code == 0, accepted.err
    assert (accepted.json["state"], accepted.json["timing_dependent"]) == ("finished", True)


def test_a_table_that_is_gone_from_the_database_is_named(
    copied: FinishedJob, refused: Refused
) -> None:
    change(copied.db, "UPDATE jobs SET state = 'paused' WHERE id = ?", copied.job)
    with sqlite3.connect(copied.db) as connection:
        connection.execute("DELETE FROM calibrations")
    connection.close()
    refused(2, ("lacks", "calibration"), "resume", copied.job, "--db", copied.db)


def test_weights_of_a_job_that_were_deleted_are_named(
    copied: FinishedJob, program: Callable[..., Said]
) -> None:
    shutil.rmtree(copied.folder / "jobs.artifacts")
    said = program("export", copied.job, "--out", "out", "--db", copied.db)
    assert said.code == 1
    assert "--artifacts" in said.err
    assert not (copied.folder / "out").exists()
