"""The pruned network comes back from a bundle, or the message says why not."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from export_case import Case, SmallResNet
from torch import nn

from autoprune.errors import InputError, ModelError, VerificationError
from autoprune.export.files import read_tensors
from autoprune.export.load import load, unpruned_network
from autoprune.export.schedule import Schedule
from autoprune.models.registry import build_model

Write = Callable[..., Path]


def _edit(folder: Path, **changes: Any) -> None:
    path = folder / "schedule.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    "source", [SmallResNet, SmallResNet(), lambda num_classes: SmallResNet(num_classes)]
)
def test_a_factory_or_a_module_gives_the_network_that_was_exported(
    written: Path, case: Case, source: Any
) -> None:
    loaded = load(written, model=source)
    image = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded(image), case.pruned(image))
    assert not loaded.training
    assert loaded.get_submodule("conv1").out_channels == 4


def test_a_module_given_as_the_model_stays_unpruned(written: Path) -> None:
    model = SmallResNet()
    load(written, model=model)
    assert model.conv1.out_channels == 8


def test_the_name_in_the_schedule_is_used_where_none_is_given(
    write: Write, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = Path(__file__).with_name("export_case.py")
    Path("my_nets.py").write_text(
        textwrap.dedent(f"""
        import importlib.util
        spec = importlib.util.spec_from_file_location("nets_of_the_user", {str(source)!r})
        module = importlib.util.module_from_spec(spec)
        import sys
        sys.modules["nets_of_the_user"] = module
        spec.loader.exec_module(module)
        make = module.SmallResNet
        """)
    )
    reference = {**case.fields["model"], "name": "my_nets.py:make"}
    out = write(tmp_path / "out", schedule=case.schedule(model=reference))
    assert torch.equal(
        load(out)(case.example_input), load(out, "my_nets.py:make")(case.example_input)
    )


def test_a_bundle_without_a_name_asks_for_the_model(written: Path) -> None:
    with pytest.raises(ModelError, match="model=factory"):
        load(written)


def test_another_network_is_refused_by_its_first_layer_that_differs(written: Path) -> None:
    other = SmallResNet()
    other.layer2[0].conv1 = nn.Conv2d(8, 24, 3, padding=1, bias=False)
    with pytest.raises(ModelError, match=r"'layer2.0.conv1'.*8 -> 16 channels.*\(24, 8, 3, 3\)"):
        load(written, model=other)
    with pytest.raises(ModelError, match="layer 'conv1'"):
        load(written, model=build_model("autoprune:resnet20", classes=5))


def test_a_network_with_one_more_tensor_is_refused_by_its_name(written: Path) -> None:
    other = SmallResNet()
    other.extra = nn.PReLU()
    with pytest.raises(ModelError, match=r"extra\.weight"):
        load(written, model=other)


def test_a_network_that_computes_something_else_is_refused(written: Path) -> None:
    class Doubled(SmallResNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    with pytest.raises(ModelError, match="outputs differ"):
        load(written, model=Doubled)


def test_a_factory_that_fails_is_named(written: Path) -> None:
    def needs_more(depth: int) -> nn.Module:
        return SmallResNet()

    with pytest.raises(ModelError, match=r"needs_more.*depth"):
        load(written, model=needs_more)
    with pytest.raises(ModelError, match="got str"):
        load(written, model=lambda: "a network")  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("name", ["model.safetensors", "check.safetensors"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(VerificationError, match=f"{name} is missing"):
        load(bundle, model=SmallResNet)


def test_an_altered_weight_is_noticed(bundle: Path) -> None:
    path = bundle / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(VerificationError, match=r"model\.safetensors was altered"):
        load(bundle, model=SmallResNet)


def test_an_edited_schedule_is_noticed(bundle: Path) -> None:
    _edit(bundle, score=0.1)
    with pytest.raises(VerificationError, match=r"schedule\.json was altered"):
        load(bundle, model=SmallResNet)


def test_a_newer_format_asks_for_a_newer_autoprune(bundle: Path) -> None:
    _edit(bundle, version=3, unheard_of=True)
    with pytest.raises(InputError, match=r"version 3.*reads up to 2.*newer autoprune"):
        load(bundle, model=SmallResNet)


@pytest.mark.parametrize("content", [None, "{}", "[]"])
def test_another_folder_is_no_bundle(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "schedule.json").write_text(content)
    with pytest.raises(InputError, match="is not a bundle"):
        load(tmp_path, model=SmallResNet)


def test_a_file_in_place_of_a_folder_is_no_bundle(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_text("")
    with pytest.raises(InputError, match=r"is not a bundle.*name a folder"):
        load(file, model=SmallResNet)


def test_a_bundle_whose_model_is_not_here_says_how_to_give_it(bundle: Path) -> None:
    schedule = json.loads((bundle / "schedule.json").read_text())
    schedule["model"]["name"] = "gone.py:network"
    reference = Schedule.model_validate(schedule)
    with pytest.raises(ModelError, match=r"no model file 'gone\.py'.*model=FACTORY"):
        unpruned_network(reference, None)
    with pytest.raises(ModelError, match=r"other\.py'.*in the folder it was submitted in$"):
        unpruned_network(reference, "other.py:network")


def test_a_torn_schedule_is_damage(bundle: Path) -> None:
    path = bundle / "schedule.json"
    path.write_text(path.read_text()[:-40])
    with pytest.raises(VerificationError, match="not JSON"):
        load(bundle, model=SmallResNet)


def test_the_check_holds_the_output_of_the_pruned_network(written: Path, case: Case) -> None:
    check = read_tensors(written / "check.safetensors")
    assert torch.equal(check["input"], case.example_input)
    with torch.inference_mode():
        assert torch.equal(check["output"], case.pruned(case.example_input))
