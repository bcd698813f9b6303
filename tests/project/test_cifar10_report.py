"""The page of results tells what the kept rows say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.cifar10_report import cells_of, figure, table


@pytest.fixture(scope="module")
def rows(root: Path) -> list[dict[str, object]]:
    return list(json.loads((root / "docs/cifar10.json").read_text(encoding="utf-8")))


def test_the_table_of_the_page_is_that_of_the_rows(
    root: Path, rows: list[dict[str, object]]
) -> None:
    page = (root / "docs/results.md").read_text(encoding="utf-8")
    assert table(cells_of(rows)) in page


def test_means_are_over_the_seeds_of_one_cell_in_any_order(rows: list[dict[str, object]]) -> None:
    cells = cells_of(rows[::-1])
    assert sum(len(cell.rows) for cell in cells) == len(rows)
    for cell in cells:
        assert [row["seed"] for row in cell.rows] == sorted(row["seed"] for row in cell.rows)
        mean = cell.mean("validation", "after")
        values = [row["validation"]["after"] for row in cell.rows]
        assert mean == pytest.approx(sum(values) / len(values))


def test_every_job_is_drawn_before_and_after_its_finetune(rows: list[dict[str, object]]) -> None:
    drawn = figure(cells_of(rows)).data
    points = [trace for trace in drawn if trace.marker.symbol != "line-ns"]
    accuracies = [value for trace in points for value in trace.x]
    expected = [row[f"accuracy_after_{step}"] for row in rows for step in ("search", "finetune")]
    assert sorted(accuracies) == pytest.approx(sorted(expected))
    assert len({trace.name for trace in drawn if trace.showlegend}) == len(
        {trace.name for trace in drawn}
    )
