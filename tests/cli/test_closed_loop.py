"""Measure, learn, offer: what a finished job leaves for the next one and for other devices."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_program import FinishedJob, Said, expect_done, run_program

from autoprune.composition import open_stores
from autoprune.jobs.learning import with_networks
from autoprune.trials.records import Json
from latency_tables.calibration import Calibration
from latency_tables.canonical import content_hash
from latency_tables.network_sums import NetworkSums

Refused = Callable[..., str]


def copied(db: Path, to: Path) -> Path:
    """A database with what is still in its log."""
    with sqlite3.connect(db) as source, sqlite3.connect(to) as target:
        source.backup(target)
    return to


def schedule_of(bundle: Path) -> Json:
    return dict(json.loads((bundle / "schedule.json").read_text()))


def test_the_bundle_tells_every_finalist_and_what_was_learned(finished: FinishedJob) -> None:
    schedule = schedule_of(finished.bundle)
    assert schedule["finalists"][0]["origin"] in ("race", *(f"ladder {p}%" for p in range(92, 101)))
    assert all(finalist["measured_s"] for finalist in schedule["finalists"])
    assert schedule["latency"]["measured_on"] == schedule["device"]["processor"]
    learned = schedule["learned"]
    if learned is not None:  # finalists of so small a net may all be known already
        assert learned["networks"] == len(learned["pairs"])


@pytest.fixture
def learned(finished: FinishedJob, tmp_path: Path) -> tuple[Path, Calibration, Calibration]:
    """A copy of the finished job's database with one more calibration; the job's own, the new."""
    db = copied(finished.db, tmp_path / "jobs.db")
    stores = open_stores(str(db))
    what = stores.trials.job(finished.job).what
    stored = stores.tables.calibration(what["calibration"])
    assert stored is not None
    own = Calibration.from_json(stored)
    half = NetworkSums(*(column[:1] * 0.5 for column in vars(own.sums).values()))
    new = with_networks(own, half, np.array([own.pairs[0][1] * 0.51]))
    stores.tables.save_calibration(new.hash, new.table, new.network, new.to_json())
    return db, own, new


def test_the_next_job_takes_the_newest_calibration_and_says_so(
    learned: tuple[Path, Calibration, Calibration], tiny: tuple[str, ...], tmp_path: Path
) -> None:
    db, own, new = learned
    words = ("search", *tiny, "--trials", "1", "--budget", "65%", "--db", db, "--json")
    for option, expected in (((), new), (("--calibration", own.hash[:16]), own)):
        said = expect_done(run_program(*words, *option, folder=tmp_path))
        assert f"calibration {expected.hash[:12]}" in said.err
        assert ("the newest of" in said.err) == (option == ())
        job = said.json["job"]
        assert open_stores(str(db)).trials.job(job).what["calibration"] == expected.hash
        shown = said.json["base"]["measured_latency_s"]
        assert shown == own.pairs[0][1]  # the base latency stays, whatever was learned


def test_a_calibration_that_is_not_there_is_refused(refused: Refused, tiny: Any) -> None:
    says = ("'0123' names 0 calibrations of table", "there is: ")
    refused(2, says, "search", *tiny, "--budget", "65%", "--calibration", "0123", "--db", "x.db")


@pytest.fixture(scope="module")
def kit(finished: FinishedJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished job's kit, run."""
    folder = tmp_path_factory.mktemp("kit")
    expect_done(finished.run("export", finished.job, "--kit", folder / "kit.zip"))
    with zipfile.ZipFile(folder / "kit.zip") as archive:
        archive.extractall(folder)
    subprocess.run([sys.executable, folder / "measure.py"], check=True, capture_output=True)
    return folder


def test_the_kit_holds_every_finalist_and_the_bundles_own_network(
    finished: FinishedJob, kit: Path
) -> None:
    networks = json.loads((kit / "manifest.json").read_text())["networks"]
    schedule = schedule_of(finished.bundle)
    assert [network["origin"] for network in networks] == [
        "unpruned",
        *(finalist["origin"] for finalist in schedule["finalists"]),
    ]
    hashes = [network["sha256"] for network in networks]
    assert hashes[0] == schedule["hashes"]["files"]["unpruned.onnx"]
    assert schedule["hashes"]["files"]["model.onnx"] in hashes[1:]


def test_verify_judges_by_the_answers(
    finished: FinishedJob, kit: Path, program: Callable[..., Said]
) -> None:
    said = program("verify", finished.bundle, "--answers", kit / "answers.json", "--json")
    measured = said.json["measured"]
    ratios = json.loads((kit / "answers.json").read_text())["ratios"]
    assert measured["ratio"] in ratios
    assert measured["same_device"]


@pytest.mark.parametrize("train_device", ["cpu", "cuda:64"], ids=["cpu", "a GPU elsewhere"])
def test_export_takes_the_finalist_that_fits_where_the_kit_measured(
    finished: FinishedJob, kit: Path, tmp_path: Path, train_device: str
) -> None:
    """Answers of a device on which only the last finalist fits."""
    db = copied(finished.db, tmp_path / "jobs.db")
    with sqlite3.connect(db) as connection:
        how = "json_set(how, '$.spec.train_device', ?)"
        connection.execute(f"UPDATE jobs SET how = {how}", (train_device,))
    shutil.copytree(finished.folder / "jobs.artifacts", tmp_path / "jobs.artifacts")
    answers = json.loads((kit / "answers.json").read_text())
    last = len(answers["manifest"]["networks"]) - 1
    for row in answers["times_s"]:
        row[1:] = [row[0] * 0.9] * last
        row[last] = row[0] * 0.63
    answers["machine"]["processor"] = "Small Chip 3"
    del answers["sha256"]
    answers["sha256"] = content_hash(answers)
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    words = ("export", finished.job, "--db", db, "--out", tmp_path / "out")
    said = run_program(*words, "--answers", tmp_path / "answers.json", folder=tmp_path)
    expect_done(said)
    schedule = schedule_of(tmp_path / "out")
    assert schedule["latency"]["measured_ratio"] == pytest.approx(0.63)
    assert schedule["latency"]["measured_on"] == "Small Chip 3"
    expected = answers["manifest"]["networks"][last]["predicted_s"]
    assert schedule["latency"]["predicted_s"] == expected
    assert schedule["provenance"]["digest"] == finished.shown["digest"]
    accuracy = schedule["accuracy"]["validation"]
    assert accuracy["after"] is not None
    shown = run_program("show", finished.job, "--db", db, "--why", "--json", folder=tmp_path).json
    saved = shown["base"]["predicted_latency_s"] - expected
    assert shown["why"][0]["saved_s"] == pytest.approx(saved, rel=1e-9, abs=0)


def test_export_without_a_place_to_write_to_is_refused(finished: FinishedJob) -> None:
    said = finished.run("export", finished.job)
    assert said.code == 2
    assert "--out FOLDER" in said.err
