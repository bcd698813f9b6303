import importlib.util
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from autoprune.errors import ModelError, UnknownNameError
from autoprune.extras import install_command
from autoprune.models.registry import build_model, default_input_shape

FACTORY = """
from torch import nn
def wide(num_classes): return nn.Linear(4, num_classes)
def plain(): return nn.Linear(4, 2)
def shaped(input_shape): return nn.Linear(input_shape[0], 2)
def broken(): raise RuntimeError("no weights here")
def number(): return 3
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "house_of_models.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "house_of_models"


@pytest.mark.parametrize("name", ["autoprune:resnet21", "resnet20", "autoprune:", ":x"])
def test_an_unknown_name_lists_what_there_is(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"autoprune:resnet20.*torchvision:NAME"):
        build_model(name, classes=10)


def test_torchvision_models_are_built_by_name_with_the_classes_asked_for() -> None:
    model = build_model("torchvision:squeezenet1_1", classes=3)
    assert model(torch.randn(1, 3, 64, 64)).shape == (1, 3)
    with pytest.raises(UnknownNameError, match="resnet18"):
        build_model("torchvision:resnet19", classes=3)


def test_a_factory_gets_the_arguments_it_takes(factories: str) -> None:
    wide = build_model(f"{factories}:wide", classes=5)
    shaped = build_model(f"{factories}.py:shaped", classes=5, input_shape=(9,))
    plain = build_model(f"{factories}.py:plain", classes=5)
    sizes = [(m.in_features, m.out_features) for m in (wide, shaped, plain) if is_linear(m)]
    assert sizes == [(4, 5), (9, 2), (4, 2)]


def is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear)


def test_a_factory_that_fails_or_returns_no_module_is_refused(factories: str) -> None:
    with pytest.raises(ModelError, match="no weights here"):
        build_model(f"{factories}:broken", classes=5)
    with pytest.raises(ModelError, match=r"must return a torch\.nn\.Module, got int"):
        build_model(f"{factories}:number", classes=5)


def test_what_cannot_be_imported_is_named(factories: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no_such_package"):
        build_model("no_such_package.sub:factory", classes=5)
    with pytest.raises(ModelError, match=r"absent\.py"):
        build_model("absent.py:factory", classes=5)
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        build_model("bad.py:factory", classes=5)
    with pytest.raises(UnknownNameError, match="plain"):
        build_model(f"{factories}:absent", classes=5)


@pytest.mark.skipif(importlib.util.find_spec("timm") is not None, reason="timm is installed")
def test_timm_names_what_to_install_where_it_is_missing() -> None:
    with pytest.raises(ModelError, match=re.escape(install_command("timm"))):
        build_model("timm:resnet18", classes=5)


def test_known_models_know_their_input_shape() -> None:
    assert default_input_shape("autoprune:digits_cnn") == (1, 8, 8)
    assert default_input_shape("torchvision:resnet18") == (3, 224, 224)
    assert default_input_shape("my.module:factory") is None
