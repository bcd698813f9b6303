"""What a running search says on stderr: each thing once, and by its name."""

from __future__ import annotations

import pytest

from autoprune.cli.progress import shown_progress

Captured = pytest.CaptureFixture[str]
MEASURED = {"alone": False, "latency_s": 0.001, "ratio": 0.5, "fits": True}


@pytest.mark.parametrize(
    ("origin", "named"),
    [
        ("race", "measured trial 7 (race): 1 ms"),
        ("control", "measured trial 7 (control): 1 ms"),
        ("ladder 98%", "measured ladder, 98% of the budget as predicted: 1 ms"),
        ("extra 103%", "measured extra, 103% of the budget as predicted: 1 ms"),
    ],
)
def test_a_measured_finalist_is_named(origin: str, named: str, capsys: Captured) -> None:
    with shown_progress(0) as progress:
        progress("measured", {**MEASURED, "origin": origin, "trial": 7})
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("follows", [False, True])
def test_what_the_summary_tells_is_left_to_it(follows: bool, capsys: Captured) -> None:
    with shown_progress(0, summary_follows=follows) as progress:
        progress("warning", {"text": "worse than before", "in_summary": True})
        progress("warning", {"text": "said here alone"})
    said = capsys.readouterr().err
    assert said.count("warning: worse than before") == (0 if follows else 1)
    assert said.count("warning: said here alone") == 1


@pytest.mark.parametrize(("last", "shown"), [("candidate", "2/2"), ("probe", "3/?")])
def test_the_clock_of_probes_stands_while_there_are_none(
    last: str, shown: str, capsys: Captured
) -> None:
    with shown_progress(4) as progress:
        for purpose in ("probe", "probe", "candidate", last):
            progress("trial", {"purpose": purpose, "error": None, "index": 0})
    assert shown in capsys.readouterr().err
