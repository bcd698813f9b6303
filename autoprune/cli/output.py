"""What the commands print: JSON and tables on stdout, words and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from autoprune import budget
from autoprune.export.figure_entries import UndoneFinetune
from autoprune.export.schedule import Ranking
from autoprune.trials.records import Json

words = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
results = Console(
    highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 160
)


def say(text: str) -> None:
    """One line for people, on stderr."""
    words.print(text, markup=False)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout; the first column to the left, the others to the right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    results.print(table)


def print_queued(job: str, as_json: bool) -> None:
    """A job that was left to the workers: its id on stdout."""
    if as_json:
        print_json({"job": job, "state": "queued"})
    else:
        say(f"job {job} waits for a worker ('autoprune worker')")
        print(job)


def say_interrupted(shown: Json) -> None:
    """How a job goes on whose driver was lost; nothing of any other.

    Args:
        shown: with ``job``, ``state`` and ``priority``.
    """
    if shown["state"] != "interrupted":
        return
    job, for_workers = shown["job"], shown["priority"] is not None
    gone = "its worker is gone, and another one takes it" if for_workers else "its process is gone"
    say(f"job {job} was interrupted: {gone}. Go on with 'autoprune resume {job}'")


def milliseconds(seconds: float | None) -> str:
    """A latency for people."""
    return "-" if seconds is None else budget.milliseconds(seconds)


def percent(fraction: float | None) -> str:
    """A fraction for people."""
    return "-" if fraction is None else f"{fraction:.1%}"


def number(value: float | None) -> str:
    """A value of a metric for people."""
    return "-" if value is None else f"{value:.4g}"


def figure_words(base: Json) -> str:
    """The unpruned network's accuracy, or what a task has in its place."""
    figure = base.get("figure")
    if figure is None:
        return f"accuracy {percent(base['accuracy'])}"
    return f"{figure['name']} {number(figure['value'])}"


def print_job(shown: Json, bundle: dict[str, str] | None = None) -> None:
    """The end of a search: before and after, each layer, where the bundle is."""
    base, best, final = shown["base"], shown["best"], shown["final"]
    if best is None:
        say(f"job {shown['job']} is {shown['state']}: no schedule has a score yet")
        _print_probes(shown["probes"])
        return
    print_table(
        f"job {shown['job']} ({shown['state']}): {shown['searcher']}, {shown['trials']} trials, "
        f"budget {', '.join(shown['budget']['given'])}",
        ["", "before", "after search", "after finetune"],
        _before_after(base, best, final),
    )
    _print_probes(shown["probes"])
    if best["devices"]:
        _print_devices(best["devices"])
    print_layers(best["layers"])
    ranking = Ranking(**shown["ranking"])
    if ranking.schedules > 1:
        results.print(f"cheap score against longer one: {ranking.says}")
    if final is not None and final["undone_finetune"] is not None:
        undone = UndoneFinetune(**final["undone_finetune"])
        results.print(f"warning: {undone.says}", soft_wrap=True)
    for name, path in (bundle or {}).items():
        results.print(f"{name}: {path}", soft_wrap=True)


def print_layers(layers: Json) -> None:
    """Channels of every layer before and after."""
    print_table(
        "keep ratio of each layer",
        ["layer", "type", "in", "out", "keep ratio"],
        [
            [
                name,
                layer["type"],
                _change(layer["in_channels"]),
                _change(layer["out_channels"]),
                f"{layer['keep_ratio']:.2f}",
            ]
            for name, layer in layers.items()
        ],
    )


def print_savings(savings: Json) -> None:
    """What each group of a schedule saves by one table, the most first."""
    table = f" on {savings['table']}" if savings["table"] else ""
    print_table(
        f"time each group saves{table}: {milliseconds(savings['saved_s'])} in all, as predicted",
        ["layers", "units", "saves", "share"],
        [
            [
                ", ".join(group["layers"]),
                _change([group["units"], group["width"]]),
                milliseconds(group["saved_s"]),
                percent(group["share"]),
            ]
            for group in sorted(savings["groups"], key=lambda group: -group["saved_s"])
        ],
    )


def _print_probes(probes: Json) -> None:
    """A cost of its own, beside the trials; most searchers have none."""
    if probes["count"]:
        results.print(f"probes: {probes['count']}, {probes['seconds']:.1f} s")


def _print_devices(devices: Sequence[Json]) -> None:
    print_table(
        "latency on each device",
        ["table", "processor", "runtime", "budget", "before", "after", ""],
        [
            [
                row["name"],
                row["device"]["processor"],
                row["runtime"],
                milliseconds(row["limit_s"]),
                milliseconds(row["base_s"]),
                milliseconds(row["measured_s"] or row["predicted_s"]),
                row["status"],
            ]
            for row in devices
        ],
    )


def _before_after(base: Json, best: Json, final: Json | None) -> list[list[str]]:
    rows = _figure_rows(base, best, final)
    measured = best["measured_latency_s"]
    return [
        *rows,
        [
            "measured latency",
            milliseconds(base["measured_latency_s"]),
            milliseconds(measured),
            milliseconds(measured),
        ],
        [
            "predicted latency",
            milliseconds(base["predicted_latency_s"]),
            milliseconds(best["predicted_latency_s"]),
            milliseconds(best["predicted_latency_s"]),
        ],
        ["MACs", f"{base['macs']:,}", f"{best['macs']:,}", f"{best['macs']:,}"],
        ["parameters", f"{base['params']:,}", f"{best['params']:,}", f"{best['params']:,}"],
    ]


def _figure_rows(base: Json, best: Json, final: Json | None) -> list[list[str]]:
    """Accuracies, or what a task has in their place, by split."""
    figure = base.get("figure")
    name, shown = ("accuracy", percent) if figure is None else (figure["name"], number)
    if final is None:
        before, found = (
            (base["accuracy"], best["accuracy"])
            if figure is None
            else (figure["value"], best.get("figure"))
        )
        return [[f"validation {name}", shown(before), shown(found), "-"]]
    told = final["accuracy"] if figure is None else final["figure"]
    steps = ("before", "after_search", "after")
    return [
        [f"{split} {name}", *(shown(told[split][step]) for step in steps)]
        for split in ("validation", "test")
    ]


def _change(channels: list[int]) -> str:
    before, after = channels
    return str(before) if before == after else f"{before} -> {after}"
