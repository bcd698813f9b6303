"""`search --queue`, `worker`, `pause`, `cancel` and `resume --queue` on a real network."""

from __future__ import annotations

import io
import json
import signal
import sqlite3
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from real_processes import start, wait_for_trials
from tiny_program import FinishedJob, Said, expect_done, run_program

from autoprune.composition import open_stores

Tiny = tuple[str, ...]
LONGER = ("--trials", "16", "--steps", "20", "--budget", "65%", "--finetune-epochs", "0")


def queue(folder: Path, *words: str) -> str:
    said = run_program("search", *words, "--queue", "--json", "--db", "jobs.db", folder=folder)
    return str(expect_done(said).json["job"])


def show(folder: Path, job: str) -> Any:
    """What is shown of a job."""
    return expect_done(run_program("show", job, "--db", "jobs.db", "--json", folder=folder)).json


def state_of(folder: Path, job: str) -> str:
    return str(show(folder, job)["state"])


def wait_for_state(
    folder: Path, job: str, state: str, worker: subprocess.Popen[str], on_the_way: tuple[str, ...]
) -> None:
    """Until the job is in a state; before that it is in no other than those on the way."""
    while (found := state_of(folder, job)) != state:
        assert found in on_the_way
        assert worker.poll() is None
        time.sleep(0.2)  # looking takes from the worker's core


def drain(folder: Path, *words: str) -> Said:
    """A worker that runs all jobs that wait."""
    worker = start(folder, "worker", "--db", "jobs.db", "--drain", *words)
    out, err = worker.communicate(timeout=300)
    assert worker.returncode == 0, err
    return Said(worker.returncode, out, err)


def test_a_queued_job_is_run_by_a_worker_to_the_digest_of_a_search(
    tmp_path: Path, tiny: Tiny, finished: FinishedJob
) -> None:
    """The bundle is written, and kept whole as one artifact."""
    words = (*tiny, "--budget", "65%", "--db", "jobs.db", "--queue", "--priority", "3")
    queued = expect_done(run_program("search", *words, "--json", folder=tmp_path)).json
    assert queued["state"] == "queued"
    (row,) = run_program("jobs", "--db", "jobs.db", "--json", folder=tmp_path).json
    assert (row["job"], row["state"], row["priority"]) == (queued["job"], "queued", 3)
    assert drain(tmp_path).out == ""
    shown = show(tmp_path, queued["job"])
    assert shown["state"] == "finished"
    assert shown["digest"] == finished.shown["digest"]
    bundle = tmp_path / "autoprune-out" / queued["job"]
    stores = open_stores(str(tmp_path / "jobs.db"))
    archive = stores.trials.job(queued["job"]).results["bundle_archive"]
    with zipfile.ZipFile(io.BytesIO(stores.trials.get_artifact(archive))) as files:
        held = {name: files.read(name) for name in files.namelist()}
    assert held == {path.name: path.read_bytes() for path in bundle.iterdir()}
    assert json.loads(held["schedule.json"])["provenance"]["digest"] == shown["digest"]


def test_a_job_that_cannot_be_loaded_here_fails_and_the_next_one_runs(
    tmp_path: Path, tiny: Tiny
) -> None:
    short = (*tiny, "--budget", "65%", "--finetune-epochs", "0")
    gone = queue(tmp_path, *short)
    good = queue(tmp_path, *short, "--seed", "1")
    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        connection.execute(
            "UPDATE jobs SET how = replace(how, ':network', ':nothing') WHERE id = ?", (gone,)
        )
    err = drain(tmp_path).err
    shown = show(tmp_path, gone)
    assert shown["state"] == "failed"
    assert "nothing" in shown["error"]
    assert f"job {gone}: failed" in err
    assert state_of(tmp_path, good) == "finished"


def change_device(folder: Path, name: str) -> None:
    with sqlite3.connect(folder / "jobs.db") as connection:
        connection.execute("UPDATE jobs SET how = json_set(how, '$.spec.train_device', ?)", (name,))


def test_a_worker_of_another_environment_leaves_the_job_to_others(
    tmp_path: Path, tiny: Tiny
) -> None:
    job = queue(tmp_path, *tiny, "--budget", "65%", "--finetune-epochs", "0")
    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        connection.execute("UPDATE jobs SET environment = 'another machine'")
    said = drain(tmp_path)
    assert f"job {job} is left to a worker of its environment (another machine)" in said.err
    assert state_of(tmp_path, job) == "queued"
    change_device(tmp_path, "cuda:64")
    said = drain(tmp_path, "--accept-environment")
    assert f"job {job} is left to a worker that has its GPU (another machine)" in said.err
    assert state_of(tmp_path, job) == "queued"
    change_device(tmp_path, "cpu")
    drain(tmp_path, "--accept-environment")
    shown = show(tmp_path, job)
    assert (shown["state"], shown["timing_dependent"]) == ("finished", True)


def test_a_worker_leaves_a_job_of_a_newer_version_to_workers_that_know_it(
    tmp_path: Path, tiny: Tiny
) -> None:
    """It says so once, however often it looks, and runs what it can read."""
    short = (*tiny, "--budget", "65%", "--finetune-epochs", "0")
    newer, known = queue(tmp_path, *short, "--priority", "9"), queue(tmp_path, *short)
    foreign = queue(tmp_path, *short, "--priority", "8")
    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        fields = "'$.spec.folds', 3, '$.spec.fidelity.warmup', 2"
        connection.execute(f"UPDATE jobs SET how = json_set(how, {fields}) WHERE id = ?", (newer,))
        fields = "'$.spec.searcher', 'of_a_package'"
        connection.execute(
            f"UPDATE jobs SET how = json_set(how, {fields}) WHERE id = ?", (foreign,)
        )
    worker = start(tmp_path, "worker", "--db", "jobs.db", "--poll", "0.05")
    wait_for_state(tmp_path, known, "finished", worker, ("queued", "running"))
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=30)
    says = f"job {newer} is left to a worker of a newer version: this one cannot read"
    assert err.count(f"{says} fidelity.warmup, folds of its spec") == err.count(newer) == 1, err
    assert f"job {foreign} is left to a worker that has the searcher 'of_a_package'" in err
    assert state_of(tmp_path, newer) == state_of(tmp_path, foreign) == "queued"
    (events,) = sqlite3.connect(tmp_path / "jobs.db").execute(
        "SELECT count(*) FROM events WHERE job_id = ?", (newer,)
    )
    assert events == (0,), "nothing was written to it"
    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        fields = "'$.spec.folds', '$.spec.fidelity.warmup'"
        connection.execute(f"UPDATE jobs SET how = json_remove(how, {fields})")
        connection.execute("DELETE FROM jobs WHERE id = ?", (foreign,))
    drain(tmp_path)
    assert state_of(tmp_path, newer) == "finished"


def test_a_running_job_is_paused_and_put_back_to_the_digest_of_a_search(
    tmp_path: Path, tiny: Tiny
) -> None:
    whole = run_program("search", *tiny, *LONGER, "--json", "--db", "alone.db", folder=tmp_path)
    job = queue(tmp_path, *tiny, *LONGER)
    worker = start(tmp_path, "worker", "--db", "jobs.db", "--poll", "0.1")
    assert wait_for_trials(tmp_path / "jobs.db", 3, worker)
    said = expect_done(run_program("pause", job, "--db", "jobs.db", "--json", folder=tmp_path))
    assert said.json == {"job": job, "state": "running", "desired_state": "paused"}
    wait_for_state(tmp_path, job, "paused", worker, ("running",))
    again = run_program("resume", job, "--queue", "--db", "jobs.db", "--json", folder=tmp_path)
    assert expect_done(again).json == {"job": job, "state": "queued"}
    wait_for_state(tmp_path, job, "finished", worker, ("queued", "running"))
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=10)
    assert worker.returncode == 0, err
    shown = show(tmp_path, job)
    assert shown["digest"] == expect_done(whole).json["digest"]


def test_a_worker_that_is_killed_loses_its_job_to_the_next_one_and_the_digest_stays(
    tmp_path: Path, tiny: Tiny
) -> None:
    whole = run_program("search", *tiny, *LONGER, "--json", "--db", "alone.db", folder=tmp_path)
    job = queue(tmp_path, *tiny, *LONGER, "--workers", "2")
    first = start(tmp_path, "worker", "--db", "jobs.db")
    assert wait_for_trials(tmp_path / "jobs.db", 3, first)
    first.kill()
    first.communicate()
    drain(tmp_path)
    shown = show(tmp_path, job)
    assert (shown["state"], shown["digest"]) == ("finished", expect_done(whole).json["digest"])


def test_a_foreground_search_that_is_paused_from_elsewhere_says_how_to_go_on(
    tmp_path: Path, tiny: Tiny
) -> None:
    driver = start(tmp_path, "search", *tiny, *LONGER, "--db", "jobs.db")
    assert wait_for_trials(tmp_path / "jobs.db", 2, driver)
    (row,) = run_program("jobs", "--db", "jobs.db", "--json", folder=tmp_path).json
    run_program("cancel", row["job"], "--db", "jobs.db", folder=tmp_path)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert err.splitlines()[-1].startswith(f"autoprune resume {row['job']} --db ")
    assert state_of(tmp_path, row["job"]) == "cancelled"
    revived = run_program("resume", row["job"], "--db", "jobs.db", folder=tmp_path)
    assert "was cancelled" in expect_done(revived).err
    assert state_of(tmp_path, row["job"]) == "finished"


def test_a_queued_job_is_cancelled_at_once_and_never_taken(
    program: Callable[..., Said], tiny: Tiny, tmp_path: Path
) -> None:
    job = queue(tmp_path, *tiny, "--budget", "65%")
    said = expect_done(program("cancel", job, "--db", "jobs.db"))
    assert f"job {job} is cancelled" in said.err
    assert program("worker", "--db", "jobs.db", "--drain").code == 0
    assert state_of(tmp_path, job) == "cancelled"
    refused = program("pause", job, "--db", "jobs.db")
    assert (refused.code, "is cancelled" in refused.err) == (2, True)


def test_a_budget_that_cannot_be_met_is_refused_before_the_job_is_queued(
    tmp_path: Path, tiny: Tiny
) -> None:
    words = (*tiny, "--budget", "1%", "--queue", "--db", "jobs.db")
    said = run_program("search", *words, folder=tmp_path)
    assert said.code == 3
    assert not (tmp_path / "jobs.db").exists()


def test_what_contradicts_itself_is_refused(program: Callable[..., Said]) -> None:
    assert program("worker", "--once", "--drain").code == 2
    assert program("worker", "--poll", "0").code == 2
    answer = program("search", "--from", "abc", "--budget", "40%", "--queue")
    assert (answer.code, "leave --queue out" in answer.err) == (2, True)


def test_the_queue_prints_the_id_alone(tmp_path: Path, tiny: Tiny) -> None:
    said = expect_done(run_program("search", *tiny, "--budget", "65%", "--queue", folder=tmp_path))
    (row,) = run_program("jobs", "--json", folder=tmp_path).json
    assert said.out == f"{row['job']}\n"
