"""Revisions: models and migrations agree, old databases come along, newer ones are refused."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from autoprune.errors import DatabaseError
from autoprune.trials import migration
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect, open_engine
from autoprune.trials.migration import VERSION_TABLE, revision_state, upgrade
from autoprune.trials.models import Base
from autoprune.trials.records import TrialResult
from autoprune.trials.store import TrialStore
from autoprune.trials.table_store import TableStore

STORED = Path(__file__).parent / "stored"
REVISIONS = sorted(
    script.revision for script in ScriptDirectory(str(migration.SCRIPTS)).walk_revisions()
)

HEAD = REVISIONS[-1]
NEXT = f"""
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.create_table("novelties", sa.Column("id", sa.Integer(), primary_key=True))
"""


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a later autoprune, with one more revision."""
    scripts = tmp_path / "migrations 100%"
    shutil.copytree(migration.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "9999_novelties.py").write_text(NEXT)
    return scripts


def new_store(url: str) -> TrialStore:
    return TrialStore(connect(url), ArtifactFolder(Path("unused")))


def differences(engine: Engine) -> list[object]:
    options = {"version_table": VERSION_TABLE, "compare_type": True}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Base.metadata))


def test_migrations_make_the_tables_of_the_models(empty_url: str) -> None:
    engine = connect(empty_url)
    assert differences(engine) == []
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE jobs ADD COLUMN stray INTEGER"))
    assert len(differences(engine)) == 1, "the comparison sees what differs"


def test_an_empty_database_gets_its_tables_once(empty_url: str) -> None:
    engine = open_engine(empty_url)
    assert revision_state(engine).state == "empty"
    connect(empty_url)
    found = revision_state(engine)
    assert (found.stored, found.state) == (found.head, "current")
    assert upgrade(engine).state == "current", "upgrading again does nothing"


def test_processes_that_open_an_empty_database_at_once_all_succeed(empty_url: str) -> None:
    barrier = threading.Barrier(5)
    failures: list[BaseException] = []

    def open_it() -> None:
        barrier.wait()
        try:
            connect(empty_url).dispose()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert revision_state(open_engine(empty_url)).state == "current"


def test_an_older_database_is_left_alone_until_it_is_upgraded(
    empty_url: str, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = new_store(empty_url).create_job({}, "h", {}, "env", {})
    monkeypatch.setattr(migration, "SCRIPTS", later)
    with pytest.raises(DatabaseError, match=rf"revision {HEAD}, .* 9999: .*'autoprune db upgrade'"):
        connect(empty_url)
    engine = open_engine(empty_url)
    assert "novelties" not in inspect(engine).get_table_names()
    before = upgrade(engine)
    assert (before.stored, before.state) == (HEAD, "older")
    assert "novelties" in inspect(engine).get_table_names()
    assert new_store(empty_url).job(job).id == job


def test_a_newer_database_is_refused_and_left_alone(
    empty_url: str, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as tomorrow:
        tomorrow.setattr(migration, "SCRIPTS", later)
        connect(empty_url)
    refused = (
        rf"is of revision 9999, newer than this autoprune, which writes {HEAD}: install the newer"
    )
    with pytest.raises(DatabaseError, match=refused):
        connect(empty_url)
    with pytest.raises(DatabaseError, match=refused):
        upgrade(open_engine(empty_url))
    assert revision_state(open_engine(empty_url)).stored == "9999"


def test_a_failed_migration_leaves_the_database_as_it_was(
    empty_url: str, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(empty_url)
    broken = later / "versions" / "9999_novelties.py"
    broken.write_text(NEXT + "    op.execute('SELECT * FROM nowhere')\n")
    monkeypatch.setattr(migration, "SCRIPTS", later)
    engine = open_engine(empty_url)
    with pytest.raises(DatabaseError, match="nowhere"):
        upgrade(engine)
    assert revision_state(engine).stored == HEAD
    assert "novelties" not in inspect(engine).get_table_names()


def test_a_database_with_another_programs_tables_is_refused(empty_url: str) -> None:
    engine = open_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE trials (id INTEGER)"))
    with pytest.raises(DatabaseError, match="another program"):
        connect(empty_url)
    assert inspect(engine).get_table_names() == ["trials"]


def test_every_revision_has_a_stored_database() -> None:
    assert sorted(path.stem for path in STORED.glob("*.sql")) == REVISIONS


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_stored_database_of_every_revision_can_be_used(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "jobs.db"
    with sqlite3.connect(path) as connection:
        connection.executescript((STORED / f"{revision}.sql").read_text(encoding="utf-8"))
    connection.close()
    engine = open_engine(str(path))
    upgrade(engine)
    assert differences(engine) == []
    _check_stored(engine)


@pytest.fixture
def of_the_first_revision(empty_url: str) -> Engine:
    """A database of revision 0001 with a job in it, on either server."""
    engine = open_engine(empty_url)
    with migration._exclusive(engine) as connection:
        command.upgrade(migration._config(connection), "0001")
        lines = (STORED / "0001.sql").read_text(encoding="utf-8").splitlines()
        (row,) = (line for line in lines if line.startswith('INSERT INTO "jobs"'))
        connection.exec_driver_sql(row.replace(",0,1,'driver'", ",FALSE,1,'driver'").strip(";"))
    return engine


def test_jobs_of_the_first_revision_are_their_users_own_until_they_are_queued(
    of_the_first_revision: Engine,
) -> None:
    upgrade(of_the_first_revision)
    assert differences(of_the_first_revision) == []
    store = TrialStore(of_the_first_revision, ArtifactFolder(Path("unused")))
    (job,) = store.jobs()
    assert (job.id, job.priority, job.results) == ("5a17b0d3", None, {"note": 1})
    assert store.waiting_jobs(is_gone=lambda owner: True) == []
    store.queue_job(job.id, 3, {"workers": 1}, is_gone=lambda owner: True)
    assert store.waiting_jobs() == [job.id]
    assert store.job(job.id).priority == 3


def test_figures_are_kept_from_the_fourth_revision_on(of_the_first_revision: Engine) -> None:
    upgrade(of_the_first_revision)
    store = TrialStore(of_the_first_revision, ArtifactFolder(Path("unused")))
    told = TrialResult(0.25, 0.25, None, 1.5, figure=-0.0)
    store.save_evaluation("of a task", told)
    found = store.evaluation("of a task")
    assert found == told
    assert str(found.figure) == "-0.0"


def _check_stored(engine: Engine) -> None:
    """The content every stored database has, written by the program of its time."""
    store = TrialStore(engine, ArtifactFolder(Path("unused")))
    job = store.job("5a")
    assert (job.state, job.stage, job.epoch) == ("running", "race", 1)
    assert job.results == {"note": 1}
    trials = store.trials(job.id)
    assert [trial.state for trial in trials] == ["told", "finished", "asked"]
    assert trials[0].result == TrialResult(0.1 + 0.2, 0.1 + 0.2, 0.9, 1.5, None, "c" * 64)
    assert trials[1].result == TrialResult(None, None, None, 0.5, "NaN loss")
    assert store.evaluation("key 0") == trials[0].result
    checkpoint = store.checkpoint(job.id)
    assert checkpoint is not None
    assert (checkpoint.tells, checkpoint.state, checkpoint.arrays) == (1, {"x": [-0.0]}, b"\0npz")
    assert [event.kind for event in store.events(job.id)] == ["told"]
    assert [finalist.origin for finalist in store.finalists(job.id)] == ["race"]
    tables = TableStore(engine)
    assert tables.newest("ctx") == {"n": 1}
    assert tables.entries("ctx") == [{"operator": {"op": "conv"}, "sample": 1e-5}]
    assert tables.calibrations("ab" * 32, "resnet")[0].document == {"a": 1.1}
    lease = store.acquire(job.id, "later", 60.0, steal=True)
    store.finish_trial(lease, 2, TrialResult(0.5, 0.5, 0.8, 1.0))
    assert store.trials(job.id)[2].state == "finished"
