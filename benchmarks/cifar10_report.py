"""The rows of benchmarks.cifar10_searchers as one table of means and one page of points.

    python -m benchmarks.cifar10_report docs/cifar10.json --plot cifar10.html
    python -m benchmarks.cifar10_report rows20.json rows56.json --keep docs/cifar10.json

``--keep`` writes what is reported of several files into one, without paths. Means are over seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

ORDER = ("uniform", "global", "random", "tpe", "netadapt", "legr", "amc", "portfolio", "solver")
_OURS = ("portfolio", "solver")
_KEPT = (
    "model",
    "budget",
    "searcher",
    "searcher_options",
    "seed",
    "trials",
    "trained_on",
    "latency_of",
    "validation",
    "accuracy_after_search",
    "accuracy_after_finetune",
    "ranking",
    "wall_s",
    "digest",
)
_COLOURS = {"cpu": "#d1495b", "cuda": "#00798c"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One searcher under one budget on one network: its jobs, in the order of their seeds."""

    rows: tuple[Row, ...]

    @property
    def first(self) -> Row:
        """What all of them share is read from it."""
        return self.rows[0]

    def mean(self, *keys: str) -> float:
        """Of a number in every row."""
        return sum(_at(row, keys) for row in self.rows) / len(self.rows)


def main() -> None:
    """Read, keep, print, draw."""
    options = _options()
    rows = [row for path in options.rows for row in json.loads(path.read_text(encoding="utf-8"))]
    if options.keep:
        kept = [{key: row[key] for key in _KEPT} for row in sorted(rows, key=_place)]
        options.keep.write_text(_lines(kept), encoding="utf-8")
    cells = cells_of(rows)
    print(table(cells))
    if options.plot:
        page = figure(cells).to_html(include_plotlyjs=True)
        options.plot.write_text(page, encoding="utf-8")


def cells_of(rows: Sequence[Row]) -> list[Cell]:
    """Jobs that differ in their seeds alone, together."""
    ordered = sorted(rows, key=_place)
    return [Cell(tuple(found)) for _, found in groupby(ordered, key=lambda row: _place(row)[:-1])]


def table(cells: Sequence[Cell]) -> str:
    """In Markdown, one line for each cell."""
    columns = ["network", "budget", "searcher", "latency of", "trained on", "seeds"]
    columns += [
        "val, searched",
        "test, searched",
        "val, finetuned",
        "test, finetuned",
        "of each seed",
        "rank correlation",
        "wall s",
    ]
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    return "\n".join([*lines, *(f"| {' | '.join(_words(cell))} |" for cell in cells)])


def _words(cell: Cell) -> list[str]:
    first = cell.first
    rho = [row["ranking"]["spearman"] for row in cell.rows]
    return [
        _network(first["model"]),
        first["budget"],
        f"**{_name(first)}**" if first["searcher"] in _OURS else _name(first),
        _processor(first["latency_of"]),
        first["trained_on"],
        ", ".join(str(row["seed"]) for row in cell.rows),
        f"{cell.mean('validation', 'after_search'):.1%}",
        f"{cell.mean('accuracy_after_search'):.1%}",
        f"{cell.mean('validation', 'after'):.1%}",
        f"{cell.mean('accuracy_after_finetune'):.1%}",
        ", ".join(f"{100 * row['accuracy_after_finetune']:.1f}" for row in cell.rows),
        ", ".join(f"{value:.2f}" for value in rho if value is not None),
        f"{cell.mean('wall_s'):.0f}",
    ]


def figure(cells: Sequence[Cell]) -> go.Figure:
    """Test accuracy before (hollow) and after (full) the final finetune.

    A panel is a budget of one network's latency on one processor, a point is a job, a bar the mean
    of several; the colour says on what networks were trained.
    """
    panels = list(dict.fromkeys(_panel(cell) for cell in cells))
    titles = [
        f"{_network(model)}, {budget} of the latency on {_processor(name)}"
        for model, budget, name in panels
    ]
    rows = -(-len(panels) // 2)
    drawn = make_subplots(
        rows=rows,
        cols=2,
        subplot_titles=titles,
        vertical_spacing=0.2 / rows,
        horizontal_spacing=0.18,
    )
    for cell in cells:
        place = panels.index(_panel(cell))
        for trace in _traces(cell):
            drawn.add_trace(trace, row=1 + place // 2, col=1 + place % 2)
    drawn.update_xaxes(tickformat=".0%")
    drawn.update_xaxes(title_text="accuracy on the test images", row=rows)
    names = dict.fromkeys(
        _name(cell.first) for cell in sorted(cells, key=lambda c: _place(c.first)[3:5])
    )
    drawn.update_yaxes(categoryorder="array", categoryarray=list(reversed(names)))
    drawn.update_layout(template="plotly_white", width=1200, height=120 + 320 * rows)
    drawn.update_layout(margin={"t": 60, "b": 60}, legend={"orientation": "h", "y": 1.1})
    seen: set[str] = set()
    for trace in drawn.data:  # one entry in the legend for all traces of a name
        trace.showlegend = trace.name not in seen
        seen.add(trace.name)
    return drawn


def _panel(cell: Cell) -> tuple[str, str, str]:
    return cell.first["model"], cell.first["budget"], cell.first["latency_of"]


def _traces(cell: Cell) -> list[go.Scatter]:
    colour = _COLOURS[cell.first["trained_on"]]
    stages = (("accuracy_after_search", "searched"), ("accuracy_after_finetune", "finetuned"))
    return [trace for key, stage in stages for trace in _stage(cell, key, stage, colour)]


def _stage(cell: Cell, key: str, stage: str, colour: str) -> list[go.Scatter]:
    searcher, values = _name(cell.first), [row[key] for row in cell.rows]
    shared = {"name": f"{stage}, {cell.first['trained_on']}", "hoverinfo": "x+name"}
    outline = {"width": 2, "color": colour}
    points = {
        "symbol": "circle-open" if stage == "searched" else "circle",
        "color": colour,
        "size": 9,
        "line": outline,
    }
    mean = {"symbol": "line-ns", "size": 12, "line": outline}
    drawn = [go.Scatter(x=values, y=[searcher] * len(values), mode="markers", marker=points)]
    if len(values) > 1:
        drawn.append(go.Scatter(x=[cell.mean(key)], y=[searcher], mode="markers", marker=mean))
    return [trace.update(**shared) for trace in drawn]


def _name(row: Row) -> str:
    """The searcher, with options that are not the default."""
    options = (f"{key} {value}" for key, value in row["searcher_options"].items())
    return ", ".join([row["searcher"], *options])


def _network(model: str) -> str:
    """``ResNet-20`` of ``autoprune:resnet20``."""
    return model.partition(":")[2].replace("resnet", "ResNet-")


def _processor(name: str) -> str:
    """``Intel Xeon`` of ``Intel(R) Xeon(R) Processor``."""
    return name.replace("(R)", "").replace("Processor", "").strip()


def _place(row: Row) -> tuple[object, ...]:
    """Where a row stands in the table; the seed last."""
    searcher = ORDER.index(row["searcher"])
    options = json.dumps(row["searcher_options"], sort_keys=True)
    job = searcher, options, row["trained_on"], row["seed"]
    return (row["model"], row["budget"], row["latency_of"], *job)


def _at(row: Row, keys: Sequence[str]) -> float:
    found: Any = row
    for key in keys:
        found = found[key]
    return float(found)


def _lines(rows: Sequence[Row]) -> str:
    """JSON with a line for each row, so that a change can be read."""
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rows", nargs="+", type=Path, help="of cifar10_searchers --out")
    parser.add_argument("--keep", type=Path, help="JSON file for what is reported")
    parser.add_argument("--plot", type=Path, help="HTML file for the points")
    return parser.parse_args()


if __name__ == "__main__":
    main()
