"""A busy machine is spoken of, before and while it is measured."""

from __future__ import annotations

import pytest

from autoprune.cli.progress import shown_progress
from autoprune.jobs.load import LoadReport, load_warning


def test_a_busy_machine_is_told_from_an_idle_one() -> None:
    assert load_warning(1.1, 2) is None
    warning = load_warning(3.2, 2)
    assert warning is not None
    assert "load 3.2 on 2 cores" in warning
    assert "#quiet-the-machine" in warning


def test_a_load_is_shown_once_and_summed_up_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(0) as progress:
        report = LoadReport(progress)
        for slowdown in (1.35, 1.2, 1.6, 1.1):
            report.seen(slowdown)
        report.ended(noisy=7, entries=90)
    said = capsys.readouterr().err
    assert said.count("under load") == 1
    assert "the anchor runs 35% slower than at the start; end other work" in said
    assert "up to 60% slower than at the start; timings are corrected, 7 of 90 entries" in said


def test_a_calm_machine_is_not_spoken_of(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(0) as progress:
        LoadReport(progress).ended(noisy=7, entries=90)
    assert capsys.readouterr().err == ""
