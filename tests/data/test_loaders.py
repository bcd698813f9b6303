"""The user's loaders become fixed tensors, the same at every reading; misuse is explained."""

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from autoprune.data.loaders import materialise
from autoprune.errors import DataError


def pairs(count: int = 40) -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.rand(count, 1, 4, 4, generator=generator), torch.arange(count) % 4)


def test_a_loader_gives_its_own_values_unchanged():
    source = pairs()
    data = materialise(DataLoader(source, batch_size=16), DataLoader(pairs(8), batch_size=3))
    assert torch.equal(data.train.images, source.tensors[0])
    assert torch.equal(data.normalise(data.train.images), source.tensors[0])
    assert data.train.labels.tolist() == source.tensors[1].tolist()
    assert len(data.val) == 8
    assert not data.val_carved
    assert not data.augmentation.flip
    assert data.augmentation.crop_padding == 0


def test_datasets_iterables_and_loaders_of_the_same_images_are_equal():
    source = pairs()
    single = [(image, int(label)) for image, label in source]
    digests = {
        materialise(given, pairs(8)).digest
        for given in (source, single, iter(single), DataLoader(source, batch_size=7))
    }
    assert len(digests) == 1


def test_a_map_style_dataset_without_an_end_is_read_to_its_length():
    class Endless:
        def __len__(self) -> int:
            return 6

        def __getitem__(self, position: int) -> tuple[torch.Tensor, int]:
            return torch.full((1, 2, 2), float(position)), position % 2

    assert (
        len(
            materialise(
                Endless(), pairs(8).__class__(torch.rand(2, 1, 2, 2), torch.tensor([0, 1]))
            ).train
        )
        == 6
    )


def test_shuffling_and_augmenting_loaders_are_read_the_same_twice():
    def noisy(batch: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.stack([image for image, _ in batch])
        noise = torch.rand(()) + np.random.rand() + random.random()
        return images + noise, torch.stack([label for _, label in batch])

    def read() -> str:
        loader = DataLoader(pairs(), batch_size=8, shuffle=True, collate_fn=noisy)
        return materialise(loader, pairs(8)).digest

    first = read()
    torch.rand(7)
    random.random()
    assert read() == first


def test_without_validation_a_part_of_train_is_carved():
    data = materialise(pairs())
    assert data.val_carved
    assert (len(data.train), len(data.val)) == (36, 4)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (torch.zeros(2, 1, 4, 4), r"expected \(images, labels\)"),
        ((np.zeros((2, 1, 4, 4)), torch.tensor([0, 1])), "images must be a tensor .* got ndarray"),
        ((torch.zeros(4, 4), 1), r"images must be a tensor .* shape \[4, 4\]"),
        ((torch.zeros(2, 1, 4, 4), torch.tensor([0, 1, 1])), "expected 2 class numbers"),
        ((torch.zeros(2, 1, 4, 4), torch.tensor([0.5, 1.0])), "expected 2 class numbers"),
        (
            (torch.zeros(2, 1, 9, 9), torch.tensor([0, 1])),
            r"images have shape \[1, 9, 9\], those before",
        ),
    ],
)
def test_a_wrong_item_is_described(item, words):
    good = (torch.zeros(2, 1, 4, 4), torch.tensor([0, 1]))
    with pytest.raises(DataError, match=f"mine, train, item 1: {words}"):
        materialise([good, item], name="mine")


@pytest.mark.parametrize(
    ("train", "val", "words"),
    [
        ([], None, "mine, train: the loader is empty"),
        (pairs(), [], "mine, val: the loader is empty"),
        (TensorDataset(torch.rand(6, 1, 4, 4), torch.zeros(6).long()), None, "at least two"),
        (TensorDataset(torch.rand(3, 1, 4, 4), torch.tensor([0, 1, -1])), pairs(8), "label -1"),
        (
            TensorDataset(torch.rand(20, 1, 4, 4), torch.arange(20) % 2),
            pairs(8),
            r"val split has label 3.*0\.\.1",
        ),
        (7, None, "expected a DataLoader"),
    ],
)
def test_unusable_data_is_refused_with_its_reason(train, val, words):
    with pytest.raises(DataError, match=words):
        materialise(train, val, name="mine")
