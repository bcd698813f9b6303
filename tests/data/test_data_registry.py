"""Datasets by name: built in, registered elsewhere, or made by the user's factory."""

import hashlib
import pickle
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch

from autoprune.data import registry
from autoprune.data.registry import load_data
from autoprune.data.storage import write_dataset
from autoprune.errors import DataError, InputError, StorageError, UnknownNameError
from autoprune.torchvision_import import torchvision

FACTORY = """
import torch

LABELS = torch.arange(20) % 2
BATCH = (torch.rand(20, 3, 4, 4), LABELS)

def as_tuple():
    return [BATCH], [BATCH]

def as_dict():
    images = torch.rand(20, 3, 4, 4)  # unseeded on purpose
    return {"train": [(images, LABELS)], "val": [BATCH], "test": [BATCH]}

def nothing():
    return None

def failing():
    raise OSError("the disk is away")
"""


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    path = tmp_path / "my_data.py"
    path.write_text(FACTORY)
    return path


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(UnknownNameError, match=r"unknown data 'mnist'.*cifar10:ROOT.*digits"):
        load_data("mnist")


def test_a_misspelt_kind_with_an_argument_is_unknown_too():
    with pytest.raises(UnknownNameError, match="cifra10"):
        load_data("cifra10:/somewhere")


def test_a_factory_in_a_file_may_return_a_tuple(factory):
    data = load_data(f"{factory}:as_tuple")
    assert data.input_shape == (3, 4, 4)
    assert data.test is None


def test_a_factory_draws_the_same_randomness_every_time(factory):
    first = load_data(f"{factory}:as_dict").train.images
    torch.rand(3)
    assert torch.equal(load_data(f"{factory}:as_dict").train.images, first)


def test_a_factory_in_a_module_is_found_from_the_current_folder(factory, monkeypatch):
    monkeypatch.chdir(factory.parent)
    monkeypatch.syspath_prepend(str(factory.parent))
    assert len(load_data("my_data:as_tuple").train) == 20


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "must return .* got NoneType"),
        ("failing", "failed with OSError: the disk is away"),
        ("missing", "has no 'missing'; it has: .*as_dict"),
    ],
)
def test_a_factory_that_cannot_be_used_says_why(factory, name, words):
    with pytest.raises(InputError, match=words):
        load_data(f"{factory}:{name}")


def test_a_file_that_stops_on_import_says_why(tmp_path):
    (tmp_path / "bad_data.py").write_text("import not_installed_anywhere")
    with pytest.raises(InputError, match=r"stopped on import .*not_installed_anywhere"):
        load_data(f"{tmp_path}/bad_data.py:factory")


def test_another_package_can_register_a_dataset(monkeypatch):
    point = EntryPoint("elsewhere", "autoprune.data.digits:load_digits", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    assert load_data("elsewhere").digest == load_data("digits").digest
    with pytest.raises(UnknownNameError, match="elsewhere"):
        load_data("neither")


def test_a_stored_dataset_comes_back_equal(tmp_path):
    digits = load_data("digits")
    write_dataset(digits, tmp_path / "digits.safetensors")
    again = load_data(f"stored:{tmp_path}/digits.safetensors")
    assert again.digest == digits.digest
    assert again.val_carved == digits.val_carved
    write_dataset(again, tmp_path / "second.safetensors")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_stored_file_that_is_no_dataset_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"12345678")
    with pytest.raises(DataError, match=r"cannot read stored data from .*x\.safetensors"):
        load_data(f"stored:{tmp_path}/x.safetensors")


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path, monkeypatch):
    def no_space(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", no_space)
    with pytest.raises(StorageError, match="No space left on device"):
        write_dataset(load_data("digits"), tmp_path / "digits.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def cifar_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10's own files with a few images each, and torchvision told of their checksums."""
    dataset = torchvision().datasets.CIFAR10
    folder = tmp_path / dataset.base_folder
    folder.mkdir()
    rng = np.random.default_rng(0)

    def put(name: str, content: object) -> str:
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    def batch() -> dict[str, object]:
        pixels = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        return {"data": pixels, "labels": [number % 10 for number in range(20)]}

    names = [f"class{number}" for number in range(10)]
    meta = put("batches.meta", {"label_names": names})
    for kind, files in (
        ("train_list", [f"data_batch_{number}" for number in range(1, 6)]),
        ("test_list", ["test_batch"]),
    ):
        monkeypatch.setattr(dataset, kind, [[name, put(name, batch())] for name in files])
    monkeypatch.setattr(
        dataset, "meta", {"filename": "batches.meta", "key": "label_names", "md5": meta}
    )
    return tmp_path


def test_cifar10_is_read_by_torchvision_and_validation_is_carved(cifar_root):
    data = load_data(f"cifar10:{cifar_root}")
    assert [len(split) for split in data.splits.values()] == [90, 10, 20]
    assert data.val_carved
    assert data.input_shape == (3, 32, 32)
    assert data.classes[3] == "class3"
    assert (data.augmentation.flip, data.augmentation.crop_padding) == (True, 4)
    reference = torchvision().datasets.CIFAR10(str(cifar_root), train=False)
    assert np.array_equal(data.test.images[5].permute(1, 2, 0).numpy(), reference.data[5])


def test_cifar10_takes_the_normalisation_of_the_network(cifar_root):
    data = load_data(f"cifar10:{cifar_root}?mean=0.485,0.456,0.406&std=0.229,0.224,0.225")
    assert data.mean == (0.485, 0.456, 0.406)


def test_cifar10_that_is_not_there_says_what_is_expected(tmp_path):
    with pytest.raises(DataError, match=r"no CIFAR-10 under .*expected .*cifar-10-batches-py"):
        load_data(f"cifar10:{tmp_path}")
