"""The device kit: measured where there is onnxruntime alone, its answers checked and judged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import onnxruntime
import pytest
from export_case import Case

from autoprune.errors import InputError, VerificationError
from autoprune.export import files
from autoprune.export.answers import read_answers
from autoprune.export.files import read_schedule
from autoprune.export.kit import KitNetwork, write_kit
from autoprune.export.verify import verify
from latency_tables.canonical import content_hash
from latency_tables.device import this_device

PREDICTED = {"base_s": 0.001, "predicted_s": 0.0005, "status": "predicted"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Any]:
    """Runs a kit's measure.py with nothing installed but onnxruntime and numpy."""
    packages = tmp_path_factory.mktemp("packages")
    for package in (numpy, onnxruntime):
        home = Path(package.__file__).parent
        for path in (home, home.with_name(f"{home.name}.libs")):
            if path.exists():
                (packages / path.name).symlink_to(path)
    start = (
        "import runpy, sys; sys.path.append(sys.argv[1]);"
        "runpy.run_path(sys.argv[2], {}, '__main__')"
    )

    def run(folder: Path) -> Any:
        words = [sys.executable, "-I", "-S", "-c", start, str(packages), str(folder / "measure.py")]
        return subprocess.run(words, capture_output=True, text=True)

    return run


@pytest.fixture(scope="module")
def kit(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kit") / "kit.zip"
    contents = [(written / name).read_bytes() for name in (files.UNPRUNED_ONNX, files.ONNX)]
    networks = [
        KitNetwork("unpruned", None, contents[0], 0.001),
        KitNetwork("race", 0, contents[1], 0.0005),
        KitNetwork("ladder 100%", 5, contents[0], 0.001),
    ]
    write_kit(path, read_schedule(written), networks, (1, 3, 32, 32))
    return path


@pytest.fixture(scope="module")
def measured(
    kit: Path, alone: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("device")
    with zipfile.ZipFile(kit) as archive:
        archive.extractall(folder)
    ran = alone(folder)
    assert ran.returncode == 0, ran.stderr
    assert "race:" in ran.stdout
    return folder


@pytest.fixture
def answers(measured: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the answers, edited and, unless told otherwise, with its hash made right again."""

    def call(edit: Callable[[dict[str, Any]], None] = lambda said: None, seal: bool = True) -> Path:
        content = json.loads((measured / "answers.json").read_text())
        edit(content)
        if seal:
            del content["sha256"]
            content["sha256"] = content_hash(content)
        path = tmp_path / "answers.json"
        path.write_text(json.dumps(content))
        return path

    return call


@pytest.fixture
def predicted(write: Callable[..., Path], case: Case, tmp_path: Path) -> Callable[..., Path]:
    def call(limit: float = 0.95, fraction: float | None = 0.95, **changes: Any) -> Path:
        budget = {"given": ("x",), "latency_s": limit * 0.001, "latency_fraction": fraction}
        fields = {"latency": PREDICTED, "budget": budget, **changes}
        return write(tmp_path / "predicted", schedule=case.schedule(**fields))

    return call


def test_it_measures_what_a_job_would_have_measured(measured: Path) -> None:
    found = read_answers(measured / "answers.json")
    said = json.loads((measured / "answers.json").read_text())
    pruned, same = found.comparisons
    assert pruned.ratio.median < 0.95
    assert same.ratio.median == pytest.approx(1.0, abs=0.2)
    assert said["ratios"] == [1.0, pruned.ratio.median, same.ratio.median]
    assert said["uncertainties"][1] == pytest.approx(pruned.ratio.uncertainty)
    assert said["medians_s"][1] == pruned.pruned_s
    assert said["onnxruntime"] == onnxruntime.__version__
    assert found.same_device(this_device().to_json())


def test_the_same_job_gives_the_same_kit(kit: Path, written: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(kit) as archive:
        names = archive.namelist()
        network = KitNetwork("unpruned", None, archive.read(files.UNPRUNED_ONNX), 0.001)
    assert names[:3] == ["manifest.json", "measure.py", files.UNPRUNED_ONNX]
    for name in ("one.zip", "two.zip"):
        write_kit(tmp_path / name, read_schedule(written), [network], (1, 3, 32, 32))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    with pytest.raises(InputError, match="is there already"):
        write_kit(tmp_path / "one.zip", read_schedule(written), [network], (1, 3, 32, 32))


def test_a_kit_of_another_runtime_is_refused(case: Case, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="measures with onnxruntime, this job's latencies are of"):
        write_kit(tmp_path / "kit.zip", case.schedule(runtime="torch"), [], (1, 3, 32, 32))


def test_a_damaged_network_is_not_measured(
    measured: Path, alone: Callable[[Path], Any], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(measured, tmp_path / "kit"))
    (folder / "finalist-0.onnx").write_bytes(b"something else")
    ran = alone(folder)
    assert ran.returncode == 1
    assert "finalist-0.onnx was altered or damaged" in ran.stderr


def test_answers_complete_the_bundle(
    predicted: Callable[..., Path], answers: Callable[..., Path]
) -> None:
    folder = predicted()
    found = verify(folder, answers=answers())
    assert found.passes, found.checks
    latency = read_schedule(folder).latency
    ratio = read_answers(answers()).comparisons[0].ratio.median
    assert (latency.status, latency.measured_ratio) == ("measured", ratio)
    assert latency.measured_on == this_device().processor


def test_answers_of_another_machine_judge_a_relative_budget_alone(
    predicted: Callable[..., Path], answers: Callable[..., Path]
) -> None:
    def elsewhere(said: dict[str, Any]) -> None:
        said["machine"]["processor"] = "Small Chip 3"

    path = answers(elsewhere)
    in_milliseconds = predicted(fraction=None)
    found = verify(in_milliseconds, answers=path)
    assert found.measured is not None
    assert found.measured.within_budget is None
    assert read_schedule(in_milliseconds).latency.status == "predicted"
    shutil.rmtree(in_milliseconds)
    relative = predicted()
    assert verify(relative, answers=path).completed
    assert read_schedule(relative).latency.measured_on == "Small Chip 3"


def test_answers_over_the_budget_leave_the_bundle(
    predicted: Callable[..., Path], answers: Callable[..., Path]
) -> None:
    folder = predicted(limit=0.05)
    assert not verify(folder, answers=answers()).passes
    assert read_schedule(folder).latency.status == "predicted"


EDITS: dict[str, tuple[Callable[[dict[str, Any]], None], bool, str]] = {
    "an edited time": (lambda s: s["times_s"][0].__setitem__(1, 1e-9), False, "was altered since"),
    "a time that is no number": (
        lambda s: s["times_s"][0].__setitem__(1, float("nan")),
        False,
        "was altered since",
    ),
    "another job": (
        lambda s: s["manifest"].update(digest="e" * 64, job="other"),
        True,
        "it is of job other, the bundle is of job j1",
    ),
    "another network": (
        lambda s: s["manifest"]["networks"][1].update(sha256="f" * 64),
        True,
        "none of its networks is the bundle's model.onnx",
    ),
    "another unpruned network": (
        lambda s: s["manifest"]["networks"][0].update(sha256="f" * 64),
        True,
        "its unpruned network is not the bundle's unpruned.onnx",
    ),
    "a lost column": (lambda s: s["times_s"][3].pop(), True, "times_s does not hold"),
    "no machine": (lambda s: s.pop("machine"), True, "machine: Field required"),
    "another format": (lambda s: s.update(format="x"), True, "not what measure.py"),
}


@pytest.mark.parametrize("name", EDITS)
def test_altered_and_foreign_answers_are_refused_by_name(
    bundle: Path, answers: Callable[..., Path], name: str
) -> None:
    edit, seal, says = EDITS[name]
    with pytest.raises(VerificationError, match=says) as refused:
        verify(bundle, answers=answers(edit, seal=seal))
    assert "answers.json" in str(refused.value)


def test_answers_that_are_not_there_are_named(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the answers .*none\.json"):
        verify(bundle, answers=tmp_path / "none.json")
