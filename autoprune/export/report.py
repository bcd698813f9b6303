"""The report: one self-contained page that says what was found and how."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from autoprune.budget import milliseconds
from autoprune.export.figure_entries import TaskFigure
from autoprune.export.history import History
from autoprune.export.page_scripts import inlined_scripts, plotly_script
from autoprune.export.schedule import AccuracyOfSplit, Schedule


@dataclass(frozen=True)
class Tile:
    """One figure of the summary; ``worse`` where its change is a loss."""

    title: str
    after: str
    before: str
    change: str
    worse: bool = False


def render_report(schedule: Schedule, history: History) -> str:
    """The page as HTML; it holds its own styles, data and plotly.js, and loads nothing.

    Args:
        schedule: what was found.
        history: how; the page holds it, so that it can be rendered again.
    """
    title, told = _told(schedule)
    page: str = (
        page_environment()
        .get_template("report.html.j2")
        .render(
            schedule=schedule,
            tiles=_tiles(schedule),
            told_title=title,
            told=told,
            drawn=_drawn(schedule, history),
            history=history.to_json(),
            has_scores=any(row.score is not None for row in history.trials),
            failed=sum(row.score is None for row in history.trials),
            facts=_facts(schedule),
            hashes=_hashes(schedule),
            plotly=plotly_script(),
            scripts=inlined_scripts(),
        )
    )
    return page


@cache
def page_environment() -> Environment:
    """What renders this package's pages."""
    environment = Environment(
        loader=PackageLoader("autoprune.export"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, number=_number, ms=milliseconds)
    environment.policies["json.dumps_kwargs"] = {}  # layers stay in network order
    return environment


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.2f}%"


def _tiles(schedule: Schedule) -> list[Tile]:
    latency, costs = schedule.latency, schedule.costs
    tiles = [
        Tile(
            f"Latency, {latency.status}",
            milliseconds(latency.after_s),
            milliseconds(latency.base_s),
            f"{latency.base_s / latency.after_s:.2f}× faster",
        )
    ]
    if schedule.figure is not None:
        tiles += _figure_tiles(schedule.figure)
    shown = "Test accuracy", schedule.accuracy.test
    if shown[1] is None or shown[1].after is None:
        shown = "Validation accuracy", schedule.accuracy.validation
    if shown[1] is not None:
        tiles.append(_accuracy_tile(shown[0], shown[1]))
    macs, params = costs.macs, costs.params
    tiles.append(Tile("Multiply-adds", _count(macs[1]), _count(macs[0]), _share(macs)))
    tiles.append(Tile("Parameters", _count(params[1]), _count(params[0]), _share(params)))
    return tiles


def _accuracy_tile(title: str, split: AccuracyOfSplit) -> Tile:
    change, worse = "", False
    if split.after is not None and split.before is not None:
        gained = (split.after - split.before) * 100
        change, worse = f"{gained:+.2f} points".replace("-", "−"), gained < 0
    return Tile(title, _percent(split.after), _percent(split.before), change, worse)


def _figure_tiles(figure: TaskFigure) -> list[Tile]:
    """One for the figure on the test split, else on the validation split; none without either."""
    named = (("Test", figure.test), ("Validation", figure.validation))
    shown = [(name, split) for name, split in named if split is not None]
    if not shown:
        return []
    name, split = shown[0]
    worse = False
    if split.after is not None and split.before is not None:
        better = min if figure.direction == "minimize" else max
        worse = better(split.after, split.before) != split.after
    title = f"{name} {figure.name}"
    return [Tile(title, _number(split.after), _number(split.before), "", worse)]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _count(value: float) -> str:
    for scale, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:.3g}{suffix}"
    return f"{value:g}"


def _share(pair: tuple[int, int]) -> str:
    return f"{pair[1] / pair[0]:.0%} kept"


def _told(schedule: Schedule) -> tuple[str, list[tuple[str, str, str, str]]]:
    """(title, rows): accuracies by split, or a task's figures."""
    source = schedule.figure or schedule.accuracy
    splits = (("Validation", source.validation), ("Test", source.test))
    shown = _percent if schedule.figure is None else _number
    rows = [
        (name, shown(split.before), shown(split.after_search), shown(split.after))
        for name, split in splits
        if split is not None
    ]
    return "Accuracy" if schedule.figure is None else schedule.figure.name, rows


def _drawn(schedule: Schedule, history: History) -> dict[str, Any]:
    """What the page's script is given beside the history."""
    return {
        "about": {
            "metric": schedule.metric.model_dump(mode="json"),
            "baseScore": history.base_score,
            "chosen": schedule.provenance.trial,
        },
        "front": {
            **(history.front or {"front": [], "unpruned": None, "chosen": None}),
            "limit_s": schedule.budget.latency_s,
        },
        "layers": {name: layer.model_dump(mode="json") for name, layer in schedule.layers.items()},
    }


def _facts(schedule: Schedule) -> list[tuple[str, Any]]:
    found = schedule.provenance
    trial = "" if found.trial is None else f", the schedule comes from trial {found.trial}"
    ranking = schedule.ranking
    figure = schedule.figure
    task = [] if figure is None else [("Task", figure.task or "given in Python")]
    compared = [] if ranking is None else [("Cheap score against longer one", ranking.says)]
    return [
        ("Job", found.job),
        ("Searcher", f"{found.searcher}, seed {found.seed}"),
        ("Trials", f"{found.trials}{trial}"),
        *compared,
        ("Model", schedule.model.name or "given in Python"),
        *task,
        ("Runtime", f"{schedule.runtime}, batch {schedule.batch}, threads {schedule.threads}"),
        ("Device", ", ".join(f"{key} {value}" for key, value in schedule.device.items())),
        ("Scores exact for", found.environment),
        ("Created", f"{found.created} by autoprune {found.autoprune_version}"),
    ]


def _hashes(schedule: Schedule) -> list[tuple[str, str]]:
    hashes = schedule.hashes
    named = (
        ("Job digest", schedule.provenance.digest),
        ("Base weights", hashes.base_weights),
        ("Data", hashes.data),
        ("Latency table", hashes.table),
        ("Calibration", hashes.calibration),
    )
    return [(name, value) for name, value in named if value]
