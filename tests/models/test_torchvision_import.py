import subprocess
import sys
from pathlib import Path

from autoprune.torchvision_import import extension_loads, torchvision


def test_models_datasets_and_transforms_can_be_used() -> None:
    package = torchvision()
    assert callable(package.models.resnet18)
    assert callable(package.datasets.CIFAR10)
    assert callable(package.transforms.ToTensor)


def test_an_extension_that_cannot_load_is_told_from_one_that_is_missing(tmp_path: Path) -> None:
    assert not extension_loads(tmp_path)
    (tmp_path / "_C.so").write_bytes(b"not a library")
    assert not extension_loads(tmp_path)


def test_the_import_works_in_a_fresh_process_and_twice() -> None:
    program = (
        "from autoprune.torchvision_import import torchvision as t; assert t() is t(); "
        "print(t().models.resnet18(num_classes=3).fc.out_features)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "3", done.stderr
