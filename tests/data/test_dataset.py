"""Splits refuse what does not fit; augmentation and normalisation do what they say."""

import pytest
import torch

from autoprune.data.dataset import Augmentation, Dataset, Split
from autoprune.data.registry import load_data
from autoprune.errors import DataError


def tiny_split(count: int = 12, labels: torch.Tensor | None = None) -> Split:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, 3, 6, 5), generator=generator, dtype=torch.uint8)
    return Split(images, torch.arange(count) % 2 if labels is None else labels)


def tiny_dataset(**changes: object) -> Dataset:
    fields: dict[str, object] = {
        "name": "tiny",
        "classes": ("a", "b"),
        "train": tiny_split(),
        "val": tiny_split(4),
        "test": None,
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.3, 0.1),
    }
    return Dataset(**{**fields, **changes})  # type: ignore[arg-type]


def test_normalise_equals_the_formula_for_uint8_and_float():
    dataset = tiny_dataset()
    raw = dataset.train.images
    mean = torch.tensor(dataset.mean).view(1, 3, 1, 1)
    std = torch.tensor(dataset.std).view(1, 3, 1, 1)
    expected = (raw.float() / 255 - mean) / std
    torch.testing.assert_close(dataset.normalise(raw), expected)
    torch.testing.assert_close(dataset.normalise(raw.float() / 255), expected)


def test_normalise_leaves_the_split_alone():
    images = torch.rand(4, 3, 6, 5)
    split = Split(images.clone(), torch.tensor([0, 1, 0, 1]))
    dataset = tiny_dataset(train=split)
    dataset.normalise(split.images)
    assert torch.equal(split.images, images)


def test_augmented_images_are_shifted_and_mirrored_originals():
    images = tiny_split(64).images
    padding = 2
    out = Augmentation(flip=True, crop_padding=padding).apply(
        images, torch.Generator().manual_seed(0)
    )
    padded = torch.nn.functional.pad(images, (padding,) * 4)
    mirrored_count = 0
    for image, source in zip(out, padded, strict=True):
        windows = {
            (top, left, flip): source[:, top : top + 6, left : left + 5]
            for top in range(5)
            for left in range(5)
            for flip in (False, True)
        }
        hits = [
            key
            for key, window in windows.items()
            if torch.equal(image, window.flip(-1) if key[2] else window)
        ]
        assert len(hits) == 1
        mirrored_count += hits[0][2]
    assert 16 < mirrored_count < 48


def test_flip_alone_mirrors_about_half():
    images = tiny_split(200).images
    out = Augmentation(flip=True).apply(images, torch.Generator().manual_seed(0))
    mirrored = (out == images.flip(-1)).flatten(1).all(1)
    same = (out == images).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert 70 < int(mirrored.sum()) < 130


def test_augmentation_depends_on_its_generator_alone():
    images = tiny_split(32).images
    augmentation = Augmentation(flip=True, crop_padding=1)
    first, again, other = (
        augmentation.apply(images, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    "change",
    [
        {"mean": (0.5, 0.4, 0.31)},
        {"augmentation": Augmentation(flip=True)},
        {"classes": ("a", "c")},
        {"val": tiny_split(4, torch.tensor([0, 1, 1, 1]))},
        {"test": tiny_split(4)},
    ],
)
def test_digest_tells_different_contents_apart(change):
    assert tiny_dataset(**change).digest != tiny_dataset().digest


def test_digest_is_of_contents_not_of_the_name():
    assert tiny_dataset(name="other").digest == tiny_dataset().digest


def test_a_label_out_of_range_is_named():
    with pytest.raises(DataError, match=r"val split has label 7.*0\.\.1"):
        tiny_dataset(val=tiny_split(4, torch.tensor([0, 1, 7, 1])))


def test_splits_of_different_shapes_are_refused():
    other = Split(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]))
    with pytest.raises(DataError, match=r"val images have shape \(3, 8, 8\)"):
        tiny_dataset(val=other)


def test_a_missing_split_says_what_there_is():
    with pytest.raises(DataError, match="no test split; there is: train, val"):
        tiny_dataset().split("test")


def test_one_class_is_refused():
    with pytest.raises(DataError, match="at least two classes"):
        tiny_dataset(classes=("only",))


def test_digits_are_split_without_overlap_and_in_proportion():
    digits = load_data("digits")
    assert [len(split) for split in digits.splits.values()] == [1000, 400, 397]
    assert digits.input_shape == (1, 8, 8)
    assert int(digits.train.images.max()) == 255
    for split in digits.splits.values():
        shares = torch.bincount(split.labels, minlength=10) / len(split)
        assert float((shares - 0.1).abs().max()) < 0.01
    everything = torch.cat([split.images for split in digits.splits.values()]).flatten(1)
    assert len(torch.unique(everything, dim=0)) == len(everything)


def test_digits_are_the_same_ones_every_time():
    assert load_data("digits").digest == load_data("digits").digest
