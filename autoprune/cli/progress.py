"""Progress bars and one-line news of a running job, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from autoprune.cli.output import figure_words, milliseconds, percent, words
from autoprune.jobs import context


@contextmanager
def shown_progress(
    trials: int, trials_done: int = 0, *, summary_follows: bool = False
) -> Iterator[context.Progress]:
    """A progress for the jobs package that draws on stderr until the block ends.

    Args:
        summary_follows: whether people read the job's summary afterwards, which repeats some of
            what is told on the way: that is left to it.
    """
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=words,
    )
    # What a user's model or data prints must not get between the JSON on stdout.
    with redirect_stdout(sys.stderr):
        try:
            yield _Screen(bars, trials, trials_done, summary_follows)
        finally:
            if bars.tasks:
                bars.stop()


PROBES = "sensitivity probes"


class _Screen:
    """Turns events into bars and lines; unknown events are ignored."""

    def __init__(
        self, bars: Progress, trials: int, trials_done: int, summary_follows: bool
    ) -> None:
        self._bars = bars
        self._trials = trials
        self._done = trials_done
        self._summary_follows = summary_follows
        self._probes = 0
        self._best: float | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, kind: str, payload: dict[str, Any]) -> None:
        handler = getattr(self, f"_on_{kind.replace(' ', '_')}", None)
        if handler is not None:
            handler(payload)

    def _bar(self, name: str, done: int, total: int | None) -> None:
        if name not in self._tasks:
            self._bars.start()
            # What was done before this start tells nothing about the time that is left.
            self._tasks[name] = self._bars.add_task(name, completed=done, total=total)
        if total is None:
            task = self._bars.tasks[self._tasks[name]]
            task.total = task.finished_time = None
        self._bars.update(self._tasks[name], completed=done, total=total)

    def _stop_clock(self, name: str) -> None:
        """A bar without a total would count the time of all that comes after it."""
        if name in self._tasks:
            task = self._bars.tasks[self._tasks[name]]
            self._bars.update(task.id, total=task.completed)

    def _line(self, text: str) -> None:
        self._bars.console.print(text, markup=False)

    def _on_trying(self, event: dict[str, Any]) -> None:
        self._line(f"trying {event['what']}")

    def _on_loading(self, event: dict[str, Any]) -> None:
        self._line(f"reading {event['what']}")

    def _on_warning(self, event: dict[str, Any]) -> None:
        if not (self._summary_follows and event.get("in_summary")):
            self._line(f"warning: {event['text']}")

    def _on_waiting(self, event: dict[str, Any]) -> None:
        self._line(f"waiting for {event['for']} to end")

    def _on_training(self, event: dict[str, Any]) -> None:
        self._bar("training the default network", event["epoch"], event["epochs"])

    def _on_table(self, event: dict[str, Any]) -> None:
        self._bar("measuring operators", event["done"], event["total"])

    def _on_load(self, event: dict[str, Any]) -> None:
        pace = event["slowdown"] - 1
        drift = f"runs {abs(pace):.0%} {'slower' if pace > 0 else 'faster'} than at the start"
        if "advice" in event:
            self._line(f"warning: the machine is under load: the anchor {drift}; {event['advice']}")
        else:
            self._line(
                f"warning: the anchor ran up to {drift.removeprefix('runs ')}; timings are "
                f"corrected, {event['noisy']} of {event['entries']} entries are marked noisy"
            )

    def _on_calibrating(self, event: dict[str, Any]) -> None:
        if "done" in event:
            self._bar("measuring whole networks", event["done"], event["networks"])
        else:
            self._line(f"measuring {event['networks']} whole networks to calibrate the table")

    def _on_narrowed(self, event: dict[str, Any]) -> None:
        if event["widths"]:
            self._line(
                f"{event['widths']} widths in {event['groups']} groups are left out, where a wider "
                "one is as fast"
            )
        for line in event["free"]:
            self._line(f"free channels: {line}")

    def _on_table_ready(self, event: dict[str, Any]) -> None:
        name = f"{event['name']} " if event["name"] else ""
        self._line(f"table {name}{event['table'][:12]}: {event['says']}")

    def _on_start(self, event: dict[str, Any]) -> None:
        known = f"{event['known']} evaluations and " if event["known"] else ""
        self._line(f"from job {event['job']}: begins with {known}the answer it gives")

    def _on_submitted(self, event: dict[str, Any]) -> None:
        base = event["base"]
        limits = ", ".join(_bound(key, limit) for key, limit in event["limits"].items())
        self._line(
            f"job {event['job']}: {event['groups']} groups; unpruned "
            f"{milliseconds(base['measured_latency_s'])}, {figure_words(base)}; "
            f"budget {limits}"
        )
        for left in event["left_out"]:
            self._line(f"not pruned: {left['name']}: {left['reason']}")

    def _on_trial(self, event: dict[str, Any]) -> None:
        if event["purpose"] == "probe":
            self._probes += 1
            self._bar(PROBES, self._probes, None)  # only the searcher knows
        else:
            self._stop_clock(PROBES)
            self._done += 1
            self._bar("trials", self._done, max(self._trials, self._done))
        if event["error"]:
            what = "probe" if event["purpose"] == "probe" else "trial"
            self._line(f"{what} {event['index']} failed: {event['error']}")

    def _on_finalist(self, event: dict[str, Any]) -> None:
        if event["score"] is None:
            self._line(f"finalist {event['slot']} ({_finalist(event)}) could not be scored")
        name = "ladder" if event["origin"].startswith("ladder") else "race"
        task = self._tasks.get(name)
        done = 1 if task is None else int(self._bars.tasks[task].completed) + 1
        self._bar(name, done, event["of"])

    def _on_measured(self, event: dict[str, Any]) -> None:
        verdict = "fits" if event["fits"] else "does not fit"
        alone = ", alone" if event["alone"] else ""
        self._line(
            f"measured {_finalist(event)}{alone}: {milliseconds(event['latency_s'])}, "
            f"{event['ratio']:.1%} of the unpruned network: {verdict}"
        )

    def _on_learned(self, event: dict[str, Any]) -> None:
        errors = f"{percent(event['error_before'])} before, {percent(event['error_after'])} after"
        offered = event["calibration"]
        said = f"calibration {offered[:12]} is there for the next job" if offered else "not kept"
        self._line(f"learned from {event['networks']} networks: off by {errors}; {said}")

    def _on_finetune(self, event: dict[str, Any]) -> None:
        self._bar("final finetune", event["epoch"], event["epochs"])


def _bound(key: str, limit: float) -> str:
    kind, _, table = key.partition(":")
    if kind != "latency":
        return f"{limit:,.0f} {kind}"
    return f"{milliseconds(limit)} on {table}" if table else milliseconds(limit)


def _finalist(event: dict[str, Any]) -> str:
    """``trial 7 (race)``, or ``ladder, 98% of the budget as predicted``."""
    origin, _, fraction = event["origin"].partition(" ")
    if fraction:
        return f"{origin}, {fraction} of the budget as predicted"
    return f"trial {event['trial']} ({origin})"
