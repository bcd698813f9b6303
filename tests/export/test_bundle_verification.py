"""verify catches whatever is not as the bundle says, and judges the budget by measuring."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from export_case import Case, SmallResNet

from autoprune.errors import InputError, VerificationError
from autoprune.export import files
from autoprune.export.files import read_schedule, schedule_text, sealed, sha256
from autoprune.export.load import load
from autoprune.export.verify import Verification, verify
from autoprune.pruning.surgery import fit
from latency_tables.runtimes.onnx_export import export_onnx

Write = Callable[..., Path]
ROUNDS = 15


def _failed(verification: Verification) -> set[str]:
    return {check.name for check in verification.checks if check.ok is False}


def _detail(verification: Verification, name: str) -> str:
    return next(check.detail for check in verification.checks if check.name == name)


def _reseal(folder: Path, **changes: Any) -> None:
    """Make every hash right again, as a forger would."""
    schedule = read_schedule(folder).model_copy(update=changes)
    hashes = {name: sha256(folder / name) for name in files.HASHED}
    (folder / "schedule.json").write_text(schedule_text(sealed(schedule, hashes)))


def test_a_fresh_bundle_passes_every_check(written: Path) -> None:
    verification = verify(written, rounds=ROUNDS)
    assert verification.passes
    assert all(check.ok for check in verification.checks), verification.checks
    assert {check.name for check in verification.checks} == {
        "schedule.json",
        *files.HASHED,
        "weight shapes",
        "onnx shapes",
        "unpruned onnx shapes",
        "onnx numerics",
        "latency budget",
    }


def test_the_measurement_is_on_the_scale_of_the_budget(written: Path) -> None:
    measured = verify(written, rounds=ROUNDS).measured
    assert measured is not None
    assert 0 < measured.pruned_s < measured.unpruned_s < 0.1
    assert measured.latency_s == pytest.approx(measured.ratio * 0.001)
    assert measured.same_device
    assert measured.within_budget


def test_it_can_be_left_unmeasured(written: Path) -> None:
    verification = verify(written, measure=False)
    assert verification.passes
    assert verification.measured is None
    assert "latency budget" not in {check.name for check in verification.checks}


@pytest.mark.parametrize("name", files.HASHED)
def test_a_changed_byte_in_any_file_is_caught(bundle: Path, name: str) -> None:
    path = bundle / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    verification = verify(bundle, rounds=ROUNDS)
    assert _failed(verification) == {name}
    assert not verification.passes


@pytest.mark.parametrize("name", files.HASHED)
def test_a_missing_file_is_caught(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    verification = verify(bundle, measure=False)
    assert _failed(verification) == {name}
    assert "missing" in _detail(verification, name)


def test_an_altered_file_is_not_opened(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"not onnx")
    verification = verify(bundle, rounds=ROUNDS)
    unjudged = {check.name for check in verification.checks if check.ok is None}
    assert unjudged == {"onnx shapes", "onnx numerics", "latency budget"}
    assert verification.measured is None


def test_an_edited_figure_is_caught(bundle: Path) -> None:
    path = bundle / "schedule.json"
    content = json.loads(path.read_text())
    content["accuracy"]["test"]["after"] = 0.99
    path.write_text(json.dumps(content))
    assert _failed(verify(bundle, measure=False)) == {"schedule.json"}


def test_a_bundle_without_its_hashes_fails(bundle: Path) -> None:
    path = bundle / "schedule.json"
    content = json.loads(path.read_text())
    content["hashes"]["files"] = {}
    path.write_text(json.dumps(content))
    assert _failed(verify(bundle, measure=False)) == {"schedule.json", *files.HASHED}


def test_a_forged_onnx_file_of_the_wrong_shapes_is_caught(bundle: Path, case: Case) -> None:
    (bundle / "model.onnx").write_bytes(export_onnx(case.unpruned, case.example_input))
    _reseal(bundle)
    failed = _failed(verify(bundle, measure=False))
    assert failed == {"onnx shapes", "onnx numerics"}


def test_a_forged_onnx_file_of_the_right_shapes_is_caught(bundle: Path, case: Case) -> None:
    other = SmallResNet().eval()
    state = {name: torch.rand_like(t.float()).to(t) for name, t in case.pruned.state_dict().items()}
    state = {n: case.pruned.state_dict()[n] if "channel_map" in n else t for n, t in state.items()}
    (bundle / "model.onnx").write_bytes(export_onnx(fit(other, state).eval(), case.example_input))
    _reseal(bundle)
    assert _failed(verify(bundle, measure=False)) == {"onnx numerics"}


def test_forged_layers_are_caught_by_the_weights(bundle: Path) -> None:
    schedule = read_schedule(bundle)
    layer = schedule.layers["layer2.0.conv1"]
    forged = layer.model_copy(update={"out_channels": (16, 4), "keep_ratio": 0.25})
    _reseal(bundle, layers={**schedule.layers, "layer2.0.conv1": forged})
    failed = _failed(verify(bundle, measure=False))
    assert failed == {"weight shapes", "onnx shapes"}


def test_a_forged_unpruned_network_is_caught(bundle: Path) -> None:
    (bundle / "unpruned.onnx").write_bytes((bundle / "model.onnx").read_bytes())
    _reseal(bundle)
    assert _failed(verify(bundle, measure=False)) == {"unpruned onnx shapes"}


def test_a_file_that_is_not_what_its_name_says_fails_with_true_hashes(bundle: Path) -> None:
    for name in ("model.safetensors", "model.onnx"):
        (bundle / name).write_bytes(b"nothing of the kind")
    _reseal(bundle)
    verification = verify(bundle, rounds=ROUNDS)
    assert _failed(verification) == {"weight shapes", "onnx shapes", "onnx numerics"}
    assert "model.onnx does not run" in _detail(verification, "latency budget")


def test_a_check_without_its_output_is_caught(bundle: Path) -> None:
    check = files.read_tensors(bundle / files.CHECK)
    (bundle / files.CHECK).write_bytes(files.tensor_bytes({"input": check["input"]}))
    _reseal(bundle)
    assert _failed(verify(bundle, measure=False)) == {"onnx numerics"}
    with pytest.raises(VerificationError, match="should hold input and output"):
        load(bundle, model=SmallResNet)


def _with_limit(fraction: float) -> dict[str, Any]:
    return {"given": ("x",), "latency_s": fraction * 0.001, "latency_fraction": fraction}


def test_a_network_slower_than_its_budget_fails(write: Write, case: Case, tmp_path: Path) -> None:
    out = write(tmp_path / "out", schedule=case.schedule(budget=_with_limit(0.05)))
    verification = verify(out, rounds=ROUNDS)
    assert _failed(verification) == {"latency budget"}
    assert verification.measured is not None
    assert verification.measured.within_budget is False
    assert "at most 0.05 ms allowed" in _detail(verification, "latency budget")


def test_on_another_device_it_measures_and_does_not_judge(
    write: Write, case: Case, tmp_path: Path
) -> None:
    device = {**case.fields["device"], "processor": "Another Chip 9000"}
    schedule = case.schedule(device=device, budget=_with_limit(0.05))
    verification = verify(write(tmp_path / "out", schedule=schedule), rounds=ROUNDS)
    assert verification.passes
    assert verification.measured is not None
    assert not verification.measured.same_device
    assert verification.measured.within_budget is None
    detail = _detail(verification, "latency budget")
    assert "made for another device" in detail
    assert "Another Chip 9000" in detail


def test_bounds_on_macs_and_parameters_are_judged(write: Write, case: Case, tmp_path: Path) -> None:
    budget = {"given": ("macs=50%", "params=1"), "macs": 200_000, "params": 1}
    out = write(tmp_path / "out", schedule=case.schedule(budget=budget))
    verification = verify(out, rounds=ROUNDS)
    assert _failed(verification) == {"params budget"}
    assert verification.measured is not None
    assert "does not bound the latency" in _detail(verification, "latency budget")


def test_the_torch_runtime_measures_the_model_itself(
    write: Write, case: Case, tmp_path: Path
) -> None:
    out = write(tmp_path / "out", schedule=case.schedule(runtime="torch"))
    without = verify(out, rounds=ROUNDS)
    assert without.passes
    assert without.measured is None
    assert "give it as model=" in _detail(without, "latency budget")
    measured = verify(out, rounds=ROUNDS, model=SmallResNet).measured
    assert measured is not None
    assert measured.pruned_s > 0


def test_the_result_is_plain_json(written: Path) -> None:
    content = json.loads(json.dumps(verify(written, rounds=ROUNDS).to_json()))
    assert content["passes"] is True
    assert content["measured"]["ratio"] < 1
    assert {"name", "ok", "detail"} == content["checks"][0].keys()


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a bundle"):
        verify(tmp_path)
