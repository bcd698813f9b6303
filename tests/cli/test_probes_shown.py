"""A search that probes first, as the commands tell of it."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager

import pytest
from probing_searcher import ProbingSearcher
from tiny_program import FinishedJob, expect_done, run_program

from autoprune.cli.progress import shown_progress
from autoprune.composition import records_of
from autoprune.export.history import history_of
from autoprune.jobs.context import Progress
from searchers import registry

PROBES = 6


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory, tiny: tuple[str, ...]) -> FinishedJob:
    folder = tmp_path_factory.mktemp("probed")
    with pytest.MonkeyPatch.context() as patch:
        found = (ProbingSearcher.__module__, ProbingSearcher.__name__)
        patch.setitem(registry._BUILT_IN, ProbingSearcher.name, found)
        said = run_program(
            *("search", *tiny, "--searcher", ProbingSearcher.name, "--budget", "65%"),
            *("--set", "probe_images=40", "--db", "jobs.db", "--out", "bundle", "--json"),
            folder=folder,
        )
    return FinishedJob(folder, expect_done(said))


def test_probes_are_shown_beside_the_trials(probed: FinishedJob) -> None:
    assert probed.shown["trials"] == 4
    assert probed.shown["probes"]["count"] == PROBES
    assert 0.0 < probed.shown["probes"]["seconds"] < 60.0
    assert f"probes: {PROBES}, " in probed.run("show", probed.job).out


def test_a_search_without_probes_speaks_of_none(finished: FinishedJob) -> None:
    assert finished.shown["probes"] == {"count": 0, "seconds": 0}
    assert "probes" not in finished.run("show", finished.job).out


def test_progress_says_that_probes_are_done_and_counts_them_apart(probed: FinishedJob) -> None:
    assert "sensitivity probes" in probed.said.err
    assert f"{PROBES}/{PROBES}" in probed.said.err, "and their clock stands"
    assert "4/4" in probed.said.err


def test_trials_lists_probes_with_their_purpose(probed: FinishedJob) -> None:
    rows = probed.run("trials", probed.job, "--json").json
    assert [row["purpose"] for row in rows] == ["probe"] * PROBES + ["candidate"] * 4
    assert all(row["score"] is not None for row in rows[:PROBES])
    assert "probe" in probed.run("trials", probed.job).out


def test_the_number_of_images_belongs_to_what_is_searched(probed: FinishedJob) -> None:
    what = records_of(str(probed.db)).job(probed.job).what
    assert what["probe"] == {"probe": 1, "images": 40}


def test_the_bundle_tells_of_trials_only_and_repeats_the_probes(probed: FinishedJob) -> None:
    schedule = json.loads((probed.bundle / "schedule.json").read_text())
    assert schedule["provenance"]["trials"] == 4
    assert "--set probe_images=40" in schedule["provenance"]["command"]
    history = history_of((probed.bundle / "report.html").read_text())
    assert history is not None
    assert [row.purpose for row in history.trials] == ["candidate"] * 4


def test_a_resumed_search_goes_on_counting_trials_alone(
    probed: FinishedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = (ProbingSearcher.__module__, ProbingSearcher.__name__)
    monkeypatch.setitem(registry._BUILT_IN, ProbingSearcher.name, found)
    counted: list[int] = []

    def noted(trials: int, told: int = 0, **more: bool) -> AbstractContextManager[Progress]:
        counted.append(told)
        return shown_progress(trials, told, **more)

    monkeypatch.setattr("autoprune.cli.resume.shown_progress", noted)
    expect_done(probed.run("resume", probed.job, "--out", probed.bundle, "--json"))
    assert set(counted) == {4}
