"""`autoprune show JOB --front`: a table, JSON, a page; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_program import FinishedJob, Said, expect_done, run_program

ROW_KEYS = {
    *("trial", "purpose", "widths", "predicted_latency_s", "latency_fraction", "macs", "score"),
    *("accuracy", "start_from"),
}


def test_the_front_stands_beside_what_show_prints(finished: FinishedJob) -> None:
    both = expect_done(finished.run("show", finished.job, "--front", "--why", "--json")).json
    rows = both.pop("front")
    assert both.pop("why")
    assert both == finished.shown
    trials = finished.run("trials", finished.job, "--json").json
    assert rows
    for row in rows:
        assert set(row) == ROW_KEYS
        trial = trials[row["trial"]]
        assert all(row[key] == trial[key] for key in ("purpose", "widths", "score", "accuracy"))
        beaten = [
            other
            for other in trials
            if other["predicted_latency_s"] <= row["predicted_latency_s"]
            and other["score"] < row["score"]
        ]
        assert not beaten
        base_s = both["base"]["measured_latency_s"]
        assert row["latency_fraction"] == pytest.approx(row["predicted_latency_s"] / base_s)
    assert min(trials, key=lambda trial: trial["score"])["score"] == rows[-1]["score"]


def test_the_front_is_printed_as_a_table(finished: FinishedJob) -> None:
    said = expect_done(finished.run("show", finished.job, "--front"))
    table = said.out.partition("front of score against latency")[2]
    assert "over 4 trials" in table
    for row in finished.run("show", finished.job, "--front", "--json").json["front"]:
        assert f"{row['score']:.4f}" in table
        assert f"{row['macs']:,}" in table


def test_the_front_is_drawn_on_a_page(finished: FinishedJob, tmp_path: Path) -> None:
    page = tmp_path / "front.html"
    said = expect_done(
        finished.run("show", finished.job, "--front", "--plot", page, "--json"),
    )
    assert said.json["front"]
    assert f"written to {page}" in said.err
    text = page.read_text()
    assert text.count('id="chart-front"') == 1
    assert finished.job in text
    drawn = text.partition('id="drawn">')[2].partition("</script>")[0]
    assert json.loads(drawn)["front"]["front"] == said.json["front"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--plot", "page.html"), "give --front as well"),
        (("--front", "--plot", "nowhere/page.html"), "cannot write nowhere/page.html"),
    ],
)
def test_a_page_that_cannot_be_is_refused(
    finished: FinishedJob, words: tuple[str, ...], says: str
) -> None:
    before = sorted(finished.folder.iterdir())
    said = finished.run("show", finished.job, *words)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert sorted(finished.folder.iterdir()) == before


@pytest.fixture
def submitted(
    tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, ...]:
    """Words that show a job which was stored, and of which nothing was run."""
    monkeypatch.setattr("autoprune.composition.run", lambda *_, **__: None)
    monkeypatch.setattr("autoprune.cli.search.holds_bundle_of", lambda *_: True)
    said: Said = run_program("search", *tiny, "--db", "jobs.db", "--json", folder=tmp_path)
    return ("show", expect_done(said).json["job"], "--front", "--db", "jobs.db")


def test_a_job_without_a_score_has_no_front(submitted: tuple[str, ...], tmp_path: Path) -> None:
    for more in ((), ("--json",), ("--plot", "front.html")):
        said = run_program(*submitted, *more, folder=tmp_path)
        assert (said.code, said.out) == (2, "")
        assert "no trial of it has a score" in said.err
        assert f"autoprune resume {submitted[1]}" in said.err
    assert not (tmp_path / "front.html").exists()
