"""A bundle that was predicted is completed by measuring it, or stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from export_case import Case

from autoprune.errors import StorageError
from autoprune.export import files
from autoprune.export.comparing import Comparison
from autoprune.export.completing import complete
from autoprune.export.files import read_schedule, sha256
from autoprune.export.measured import Measurement, judged
from autoprune.export.verify import Verification, verify
from latency_tables.canonical import content_hash
from latency_tables.measuring import Ratio

ROUNDS = 15
PREDICTED = {"base_s": 0.001, "predicted_s": 0.0005, "status": "predicted"}
FINALISTS = (
    {"origin": "ladder 100%", "score": 0.3, "predicted_s": 0.0006},
    {"origin": "ladder 92%", "score": 0.4, "predicted_s": 0.000001},
)
Make = Callable[..., Path]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def detail(found: Verification, name: str) -> str:
    return next(check.detail for check in found.checks if check.name == name)


@pytest.fixture
def predicted(write: Callable[..., Path], case: Case, tmp_path: Path) -> Make:
    """Writes a bundle that was predicted under a budget, as a fraction of the base latency.

    The default is far above what any machine measures of so small a network.
    """

    def call(limit: float = 3.0, **changes: Any) -> Path:
        fraction = limit if limit < 1 else None
        budget = {"given": ("x",), "latency_s": limit * 0.001, "latency_fraction": fraction}
        fields = {"latency": PREDICTED, "budget": budget, "finalists": FINALISTS, **changes}
        return write(tmp_path / "predicted", schedule=case.schedule(**fields))

    return call


def test_measuring_on_the_device_completes_it(predicted: Make) -> None:
    folder = predicted()
    before = snapshot(folder)
    found = verify(folder, rounds=ROUNDS)
    assert found.passes
    assert found.completed
    assert found.measured is not None
    schedule = read_schedule(folder)
    assert schedule.latency.status == "measured"
    assert schedule.latency.measured_ratio == found.measured.ratio
    assert schedule.latency.measured_s == pytest.approx(found.measured.ratio * 0.001)
    assert schedule.latency.measured_on == schedule.device["processor"]
    changed = {name for name, content in snapshot(folder).items() if before.get(name) != content}
    assert changed == {files.SCHEDULE, files.REPORT}
    report = (folder / files.REPORT).read_text()
    assert "predicted, not measured" not in report
    assert "Latency, measured" in report
    assert "Failed trials, not shown: 1." in report
    again = verify(folder, rounds=ROUNDS)
    assert again.passes
    assert not again.completed


def test_of_several_devices_the_measured_one_alone_is_completed(
    predicted: Make, case: Case
) -> None:
    shown = case.schedule()
    conditions = {name: getattr(shown, name) for name in ("runtime", "batch", "threads")}
    here = {"name": "here", "device": shown.device, "limit_s": 0.0009, **conditions, **PREDICTED}
    there = {**here, "name": "there", "device": {**shown.device, "processor": "Some board"}}
    folder = predicted(devices=[here, there])
    measured = Measurement(0.0005, 0.001, 0.5, 0.01, 0.0005, "here", True, True)
    complete(folder, read_schedule(folder), measured)
    rows = {row.name: row for row in read_schedule(folder).devices}
    assert (rows["here"].status, rows["here"].measured_s) == ("measured", 0.0005)
    assert (rows["there"].status, rows["there"].measured_s) == ("predicted", None)
    assert verify(folder, measure=False).passes


def test_a_network_that_misses_leaves_it_untouched_and_names_the_finalist_that_fits(
    predicted: Make,
) -> None:
    folder = predicted(limit=0.05)
    before = snapshot(folder)
    found = verify(folder, rounds=ROUNDS)
    assert not found.passes
    assert snapshot(folder) == before
    assert "finalist 'ladder 92%' would fit" in detail(found, "latency budget")


def test_without_a_finalist_that_fits_it_says_what_budget_to_search_with(predicted: Make) -> None:
    found = verify(predicted(limit=0.05, finalists=FINALISTS[:1]), rounds=ROUNDS)
    assert "no finalist would fit: search again with a budget of" in detail(found, "latency budget")


@pytest.mark.parametrize("reason", ["another device", "told not to", "not measured", "altered"])
def test_it_stays_predicted(predicted: Make, case: Case, reason: str) -> None:
    device = {**case.fields["device"], "processor": "Another Chip 9000"}
    folder = predicted(**({"device": device} if reason == "another device" else {}))
    if reason == "altered":
        (folder / files.WEIGHTS).write_bytes(b"something else")
    before = snapshot(folder)
    verify(folder, rounds=ROUNDS, write=reason != "told not to", measure=reason != "not measured")
    assert snapshot(folder) == before


def test_what_was_predicted_must_fit_with_its_whole_interval(case: Case) -> None:
    """By at least 1%; what a job measured fails only where it is over by what can be resolved."""
    limit = {"given": ("50%",), "latency_s": 0.0005, "latency_fraction": 0.5}
    for median, measured_fits, predicted_fits in ((0.48, True, True), (0.497, True, False)):
        found = Comparison(median * 0.001, 0.001, Ratio(median, 0.001, 60))
        for latency, expected in ((None, measured_fits), (PREDICTED, predicted_fits)):
            changes = {"budget": limit, **({"latency": latency} if latency else {})}
            told = judged(found, case.schedule(**changes), "chip", same_device=True, judge=True)
            assert told.within_budget is expected


def test_a_kill_between_schedule_and_report_is_mended(
    predicted: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = predicted()
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if self.name == files.NEXT_REPORT:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        verify(folder, rounds=ROUNDS)
    monkeypatch.undo()
    schedule = read_schedule(folder)
    assert schedule.latency.status == "measured"
    assert sha256(folder / files.REPORT) != schedule.hashes.files[files.REPORT]
    assert verify(folder, measure=False).passes
    assert {path.name for path in folder.iterdir()} == {files.SCHEDULE, *files.HASHED}


def test_a_full_disk_leaves_it_as_it_was(predicted: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = predicted()
    before = snapshot(folder)

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "sync_folder", full)
    with pytest.raises(StorageError, match="could not be changed: No space left"):
        verify(folder, rounds=ROUNDS)
    assert snapshot(folder) == before


def test_a_bundle_of_version_1_is_verified_and_completed(predicted: Make) -> None:
    folder = predicted()
    report = (folder / files.REPORT).read_text()
    start, _, rest = report.partition('<script type="application/json" id="history">')
    (folder / files.REPORT).write_text(start + rest.partition("</script>")[2])
    content = json.loads((folder / files.SCHEDULE).read_text())
    for field in ("finalists", "learned"):
        del content[field]
    del content["latency"]["measured_on"]
    content["version"] = 1
    content["hashes"]["files"][files.REPORT] = sha256(folder / files.REPORT)
    content["hashes"]["schedule"] = ""
    content["hashes"]["schedule"] = content_hash(content)
    (folder / files.SCHEDULE).write_text(json.dumps(content))
    found = verify(folder, rounds=ROUNDS)
    assert found.completed
    assert "report.html still says predicted" in detail(found, "completed")
    assert read_schedule(folder).version == 2
    assert verify(folder, rounds=ROUNDS).passes
