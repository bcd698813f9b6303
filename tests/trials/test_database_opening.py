"""Opening a database: what is made, what is set, and what is said when it cannot be used."""

from __future__ import annotations

import re
import sqlite3
import sys
import traceback
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from autoprune.errors import DatabaseError, InputError, StorageError
from autoprune.extras import install_command
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.database import Database
from autoprune.trials.engine import connect, default_artifacts
from autoprune.trials.store import TrialStore


def create_job(store: TrialStore, size: int = 1) -> str:
    return store.create_job({"x": "y" * size}, "h", {}, "env", {})


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_path_or_an_url_opens_sqlite_and_makes_its_folder(tmp_path: Path, form: str) -> None:
    path = tmp_path / "new" / "jobs.db"
    connect(form.format(path)).dispose()
    assert path.is_file()
    connect(form.format(path), create=False).dispose()


def test_a_relative_path_is_of_the_folder_it_was_given_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = connect("jobs.db")
    monkeypatch.chdir("/")
    assert create_job(TrialStore(engine, ArtifactFolder(tmp_path)))
    assert default_artifacts(engine) == tmp_path / "jobs.artifacts"


def test_a_missing_database_is_not_made_for_a_reader(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"there is no trial database .*typo\.db"):
        connect(str(tmp_path / "typo.db"), create=False)
    assert list(tmp_path.iterdir()) == []


def test_sqlite_is_durable_and_waits_for_its_turn(tmp_path: Path) -> None:
    engine = connect(str(tmp_path / "jobs.db"))
    with Database(engine).write() as session:
        settings = {
            name: session.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
        full = 2
        other = sqlite3.connect(tmp_path / "jobs.db", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    assert settings.pop("busy_timeout") >= 30_000
    assert settings == {"journal_mode": "wal", "synchronous": full, "foreign_keys": 1}


def test_a_reader_sees_one_moment_while_others_write(tmp_path: Path) -> None:
    engine = connect(str(tmp_path / "jobs.db"))
    store = TrialStore(engine, ArtifactFolder(tmp_path))
    count = text("SELECT count(*) FROM jobs")
    with Database(engine).read() as session:
        assert session.execute(count).scalar_one() == 0
        create_job(store)
        assert session.execute(count).scalar_one() == 0
    assert len(store.jobs()) == 1


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be read as the header of one" * 20)
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match=r"notes\.txt is a file, but not a SQLite database"):
        connect(str(path))
    assert path.read_bytes() == before


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=f"{tmp_path} cannot be used: unable to open"):
        connect(str(tmp_path))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="the folder of the trial database"):
        connect(str(tmp_path / "file" / "jobs.db"))


def test_a_read_only_database_can_be_read_and_says_so_when_written(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writable = connect(str(path))
    job = create_job(TrialStore(writable, ArtifactFolder(tmp_path)))
    store = TrialStore(connect(f"sqlite:///file:{path}?mode=ro&uri=true"), ArtifactFolder(tmp_path))
    assert store.job(job).id == job
    with pytest.raises(DatabaseError, match="is read-only: make the file and its folder writable"):
        create_job(store)


def test_a_full_disk_says_so_and_keeps_nothing_of_the_step(tmp_path: Path) -> None:
    engine = connect(str(tmp_path / "jobs.db"))
    store = TrialStore(engine, ArtifactFolder(tmp_path))
    kept = create_job(store)
    with Database(engine).write() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
    with engine.connect() as connection:  # the pool gives this connection to the next writer
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageError, match=r"full.*free space on its disk, then resume"):
        create_job(store, size=100_000)
    assert [job.id for job in store.jobs()] == [kept]


def test_a_damaged_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    engine = connect(str(path))
    create_job(TrialStore(engine, ArtifactFolder(tmp_path)))
    engine.dispose()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"jobs\.db is damaged .* restore it from a backup"):
        TrialStore(connect(str(path)), ArtifactFolder(tmp_path)).jobs()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", "in memory"),
        (":memory:", "in memory"),
        ("mysql://u@h/d", "unknown kind of database 'mysql'.*postgresql://"),
        ("postgresql://h:port/d", "the address cannot be read.*number for PORT"),
    ],
)
def test_addresses_we_cannot_use_say_what_we_can(url: str, said: str) -> None:
    with pytest.raises(DatabaseError, match=said):
        connect(url)


def test_an_unreachable_server_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:1/jobs cannot be used") as caught:
        connect("postgresql://me:secret@127.0.0.1:1/jobs")
    assert "secret" not in str(caught.value)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DatabaseError, match=re.escape(install_command("postgres"))):
        connect("postgresql://me@localhost/jobs")


def test_a_server_has_no_folder_beside_it(postgres_url: str) -> None:
    with pytest.raises(DatabaseError, match="--artifacts"):
        default_artifacts(connect(postgres_url))


def test_a_read_only_server_says_so(postgres_url: str) -> None:
    connect(postgres_url).dispose()
    read_only = postgres_url.replace("options=", "options=-cdefault_transaction_read_only%3Don%20")
    store = TrialStore(connect(read_only), ArtifactFolder(Path("unused")))
    with pytest.raises(DatabaseError, match="is read-only"):
        create_job(store)


def test_a_server_that_drops_a_connection_is_reached_again(postgres_url: str) -> None:
    store = TrialStore(connect(postgres_url), ArtifactFolder(Path("unused")))
    job = create_job(store)
    with create_engine(
        postgres_url.replace("postgresql://", "postgresql+psycopg://")
    ).connect() as other:
        other.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    assert store.job(job).id == job


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hidden\r\n", "cannot be printed"),
        (b"hidden\nhidden", "cannot be printed"),
        (b"hidden\xff", "no text in UTF-8"),
    ],
)
def test_a_password_file_that_cannot_be_used_is_named_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, says: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("AUTOPRUNE_DB_PASSWORD_FILE", str(path))
    with pytest.raises(InputError, match=says) as refused:
        connect("postgresql://someone@127.0.0.1:9/jobs")
    assert str(path) in str(refused.value)
    assert "hidden" not in str(refused.value)
    connect(str(tmp_path / "jobs.db")).dispose()


def test_a_password_from_a_file_is_in_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("hidden\n")
    monkeypatch.setenv("AUTOPRUNE_DB_PASSWORD_FILE", str(tmp_path / "password"))
    with pytest.raises(DatabaseError, match="//someone@127") as refused:
        connect("postgresql://someone@127.0.0.1:9/jobs")
    assert "hidden" not in "".join(traceback.format_exception(refused.value))
