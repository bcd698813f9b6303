"""Check that a bundle is what it says, and that the network in it is as fast as it says."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from autoprune.budget import milliseconds
from autoprune.errors import AutopruneError, VerificationError
from autoprune.export import files
from autoprune.export.answers import RefusedAnswersError, judge_answers, read_answers
from autoprune.export.completing import complete, finalist_that_fits
from autoprune.export.load import ModelSource
from autoprune.export.measured import Measurement, measure_bundle
from autoprune.export.onnx_files import (
    TOLERANCE,
    difference,
    read_graph,
    run_onnx,
    weight_channels,
)
from autoprune.export.schedule import Schedule
from autoprune.export.shapes import Side, first_difference, missing_weights
from latency_tables.errors import LatencyTableError


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Args:
        ok: None where it could not be judged; ``detail`` says why.
    """

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True)
class Verification:
    """All that was checked of a bundle.

    Args:
        measured: None where nothing was measured.
        completed: whether a bundle that was predicted says measured now.
    """

    checks: tuple[Check, ...]
    measured: Measurement | None
    completed: bool = False

    @property
    def passes(self) -> bool:
        """Whether no check failed."""
        return all(check.ok is not False for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"passes": self.passes, **asdict(self), "checks": [asdict(c) for c in self.checks]}


def verify(
    folder: str | Path,
    *,
    rounds: int | None = None,
    measure: bool = True,
    model: ModelSource | None = None,
    answers: str | Path | None = None,
    write: bool = True,
) -> Verification:
    """Check a bundle's hashes, shapes, numerics and budget; complete one that was predicted.

    A latency budget is judged by ratio x base latency, on the device of the table alone: an excess
    smaller than what the measurement can resolve does not fail. Files that were altered are not
    opened.

    Args:
        folder: written by ``autoprune export``.
        rounds: each times both networks once; None measures as a job does.
        measure: whether to measure the latency.
        model: for runtimes that run the model itself; as for ``load``.
        answers: what the device kit of the bundle's job measured; nothing is measured here then.
        write: whether a bundle that was predicted is completed when everything passes.

    Raises:
        InputError: the folder is no bundle, or one of a newer version; the answers cannot be read.
        VerificationError: ``schedule.json`` cannot be read; the answers were altered, or are not
            of this bundle.
        StorageError: the bundle cannot be written.
    """
    folder = Path(folder)
    files.finish_replacing(folder)
    schedule = files.read_schedule(folder)
    given = None if answers is None else read_answers(Path(answers))
    checks = [_run(files.SCHEDULE, partial(_seal, folder, schedule))]
    checks += [_run(name, partial(_hash, folder, name, schedule)) for name in files.HASHED]
    intact = {check.name for check in checks if check.ok}
    checks += [
        _on(intact, needed, name, partial(action, folder, schedule))
        for name, needed, action in _CONTENT_CHECKS
    ]
    checks += _counted_bounds(schedule)
    action = partial(measure_bundle, folder, schedule, rounds=rounds, model=model)
    if given is not None:
        action = partial(judge_answers, given, schedule)
    measured = None
    if measure or given is not None:
        latency, measured = _latency(schedule, intact, action)
        checks.append(latency)
    found = Verification(tuple(checks), measured)
    return _completed(folder, schedule, found) if write else found


def _completed(folder: Path, schedule: Schedule, found: Verification) -> Verification:
    """Write the measurement into a predicted bundle, where all of it holds."""
    measured = found.measured
    if schedule.latency.status != "predicted" or measured is None or not found.passes:
        return found
    unbounded = schedule.budget.latency_s is None and measured.same_device
    if not (measured.within_budget or unbounded):
        return found
    done = Check("completed", True, complete(folder, schedule, measured))
    return Verification((*found.checks, done), measured, completed=True)


def _run(name: str, action: Callable[[], str]) -> Check:
    try:
        return Check(name, True, action())
    except VerificationError as error:
        return Check(name, False, str(error))


def _on(
    intact: Collection[str], needed: Collection[str], name: str, action: Callable[[], str]
) -> Check:
    broken = [file for file in needed if file not in intact]
    if broken:
        return Check(name, None, f"not checked: {', '.join(broken)} failed")
    return _run(name, action)


def _seal(folder: Path, schedule: Schedule) -> str:
    files.check_seal(folder, schedule)
    return "the content has the hash it states"


def _hash(folder: Path, name: str, schedule: Schedule) -> str:
    files.check_file(folder, name, schedule)
    return f"sha256 {schedule.hashes.files[name][:12]}"


def _weights(folder: Path, schedule: Schedule) -> str:
    wrong = first_difference(schedule.layers, files.read_tensors(folder / files.WEIGHTS), "after")
    if wrong is not None:
        raise VerificationError(f"{files.WEIGHTS} is not the schedule's network: {wrong}")
    return f"{len(schedule.layers)} layers have the channels of the schedule"


def _graph(name: str, side: Side) -> Callable[[Path, Schedule], str]:
    def check(folder: Path, schedule: Schedule) -> str:
        found = weight_channels(read_graph((folder / name).read_bytes(), name))
        missing = missing_weights(schedule.layers, found, side)
        if missing:
            raise VerificationError(
                f"{name} is not the schedule's network: it has no weight for {', '.join(missing)}"
            )
        return f"every pruned layer has its channels {side} pruning"

    return check


def _numerics(folder: Path, _: Schedule) -> str:
    given, expected = files.read_check(folder)
    content = (folder / files.ONNX).read_bytes()
    apart = difference(run_onnx(content, given, files.ONNX), expected)
    if not apart <= TOLERANCE:
        raise VerificationError(
            f"{files.ONNX} does not give the output of {files.CHECK}: they differ by {apart:.2g}, "
            f"{TOLERANCE:g} is allowed"
        )
    return f"outputs differ by {apart:.2g} ({TOLERANCE:g} is allowed)"


_CONTENT_CHECKS: tuple[tuple[str, tuple[str, ...], Callable[[Path, Schedule], str]], ...] = (
    ("weight shapes", (files.WEIGHTS,), _weights),
    ("onnx shapes", (files.ONNX,), _graph(files.ONNX, "after")),
    ("unpruned onnx shapes", (files.UNPRUNED_ONNX,), _graph(files.UNPRUNED_ONNX, "before")),
    ("onnx numerics", (files.ONNX, files.CHECK), _numerics),
)


def _counted_bounds(schedule: Schedule) -> list[Check]:
    costs, budget = schedule.costs, schedule.budget
    bounded = (
        ("macs budget", costs.macs[1], budget.macs),
        ("params budget", costs.params[1], budget.params),
    )
    return [
        Check(name, cost <= limit, f"{cost:,} of at most {limit:,.0f}")
        for name, cost, limit in bounded
        if limit is not None
    ]


def _latency(
    schedule: Schedule, intact: Collection[str], measure: Callable[[], Measurement]
) -> tuple[Check, Measurement | None]:
    name = "latency budget"
    broken = [file for file in (files.ONNX, files.UNPRUNED_ONNX, files.CHECK) if file not in intact]
    if broken:
        return Check(name, None, f"not measured: {', '.join(broken)} failed"), None
    try:
        measured = measure()
    except RefusedAnswersError:
        raise
    except (AutopruneError, LatencyTableError) as error:
        return Check(name, None, f"not measured: {error}"), None
    return Check(name, measured.within_budget, _said(schedule, measured)), measured


def _said(schedule: Schedule, measured: Measurement) -> str:
    figures = (
        f"{milliseconds(measured.pruned_s)} pruned, {milliseconds(measured.unpruned_s)} unpruned: "
        f"{measured.ratio:.1%} (± {measured.uncertainty:.1%})"
    )
    limit = schedule.budget.latency_s
    if limit is None:
        return f"{figures}; the budget does not bound the latency"
    if measured.within_budget is None:
        return f"{figures}; not judged: the table was made for another device, {_device(schedule)}"
    scaled = (
        f"{milliseconds(measured.latency_s)} where the unpruned network takes "
        f"{milliseconds(schedule.latency.base_s)}, at most {milliseconds(limit)} allowed"
    )
    if not measured.within_budget:
        if schedule.latency.status == "predicted":
            scaled += " with the whole interval" + finalist_that_fits(schedule, measured)
        return f"{figures}; {scaled}"
    close = measured.latency_s > limit
    return f"{figures}; {scaled}" + (", over by less than can be measured" if close else "")


def _device(schedule: Schedule) -> str:
    return ", ".join(f"{key} {value}" for key, value in schedule.device.items())
