from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from autoprune.errors import WeightsError
from autoprune.models.registry import build_model
from autoprune.models.weights import load_weights, state_hash


def net(classes: int = 3) -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, classes))


def wrap_nothing(state: dict[str, Any]) -> dict[str, Any]:
    return state


def wrap_checkpoint(state: dict[str, Any]) -> dict[str, Any]:
    return {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}


@pytest.mark.parametrize("wrap", [wrap_nothing, wrap_checkpoint])
@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_torch_files_load_plain_and_wrapped(wrap: Any, suffix: str, tmp_path: Path) -> None:
    source, target = net(), net()
    torch.save(wrap(source.state_dict()), tmp_path / f"w{suffix}")
    load_weights(target, tmp_path / f"w{suffix}")
    assert state_hash(target.state_dict()) == state_hash(source.state_dict())


def test_published_resnet_weights_without_a_channel_map_load(tmp_path: Path) -> None:
    source, target = (build_model("autoprune:resnet20", classes=10) for _ in range(2))
    state = {k: v for k, v in source.state_dict().items() if "channel_map" not in k}
    save_file(state, tmp_path / "w.safetensors")
    load_weights(target, tmp_path / "w.safetensors")
    assert state_hash(target.state_dict()) == state_hash(source.state_dict())


def test_weights_that_do_not_fit_are_named_and_leave_the_model_alone(tmp_path: Path) -> None:
    state = net(classes=5).state_dict()
    state["extra"] = state.pop("0.bias")
    torch.save(state, tmp_path / "w.pt")
    target = net()
    before = state_hash(target.state_dict())
    with pytest.raises(WeightsError) as caught:
        load_weights(target, tmp_path / "w.pt")
    message = str(caught.value)
    assert "missing: 0.bias" in message
    assert "unexpected: extra" in message
    assert "3.weight (expected (3, 4), got (5, 4))" in message
    assert state_hash(target.state_dict()) == before


@pytest.mark.parametrize("name", ["torn.safetensors", "torn.pt", "text.txt", "absent.pt"])
def test_a_file_that_is_no_weights_is_refused_by_name(name: str, tmp_path: Path) -> None:
    if not name.startswith("absent"):
        (tmp_path / name).write_bytes(b"torn")
    with pytest.raises(WeightsError, match=name):
        load_weights(net(), tmp_path / name)


class Payload:
    def __reduce__(self) -> Any:
        return (print, ("code ran",))


def test_code_inside_a_weights_file_does_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"0.weight": Payload()}, tmp_path / "w.pt")
    with pytest.raises(WeightsError):
        load_weights(net(), tmp_path / "w.pt")
    assert "code ran" not in capsys.readouterr().out


def test_the_hash_depends_on_names_shapes_dtypes_and_values_alone() -> None:
    state = {"a": torch.arange(4.0), "b": torch.tensor(3)}
    base = state_hash(state)
    assert state_hash({"b": state["b"].clone(), "a": state["a"].clone()}) == base
    changed = [
        {**state, "a": state["a"].reshape(2, 2)},
        {**state, "a": state["a"].double()},
        {**state, "a": state["a"] + 1},
        {"c": state["a"], "b": state["b"]},
    ]
    assert base not in {state_hash(other) for other in changed}
