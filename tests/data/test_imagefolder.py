"""Image folders: classes by name, sizes, a cache that notices changes, clear errors."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from autoprune.data import imagefolder
from autoprune.data.registry import load_data
from autoprune.errors import DataError


def paint(path: Path, colour: int, size: tuple[int, int] = (12, 12), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fill = colour if mode == "L" else (colour, 255 - colour, 0)
    Image.new(mode, size, fill).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, count in (("train", 10), ("val", 3), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            for number in range(count):
                paint(tmp_path / split / name / f"{number:02}.png", 100 * label + number)
    return tmp_path


def test_classes_come_from_the_folder_names_and_pixels_from_the_files(folder):
    data = load_data(f"imagefolder:{folder}")
    assert data.classes == ("cat", "dog")
    assert [len(split) for split in data.splits.values()] == [20, 6, 4]
    assert not data.val_carved
    assert data.train.labels.tolist() == [0] * 10 + [1] * 10
    assert data.train.images[:, 0, 0, 0].tolist() == [*range(10), *range(100, 110)]
    assert data.train.images[3, :, 5, 5].tolist() == [3, 252, 0]


def test_without_val_a_tenth_of_train_is_carved_out(folder):
    for path in (folder / "val").rglob("*.png"):
        path.unlink()
    for name in ("cat", "dog"):
        (folder / "val" / name).rmdir()
    (folder / "val").rmdir()
    data = load_data(f"imagefolder:{folder}")
    assert data.val_carved
    assert (len(data.train), len(data.val)) == (18, 2)
    assert data.val.labels.tolist() == [0, 1]


def test_a_broken_image_is_named(folder):
    broken = folder / "train" / "dog" / "noise.jpg"
    noise = np.random.RandomState(0).randint(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(noise).save(broken)
    assert len(load_data(f"imagefolder:{folder}").train) == 21
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) - 60])
    with pytest.raises(DataError, match=r"cannot decode the image .*dog/noise\.jpg"):
        load_data(f"imagefolder:{folder}")


def test_text_with_an_image_name_is_named(folder):
    (folder / "val" / "cat" / "note.jpg").write_text("not an image")
    with pytest.raises(DataError, match=r"val/cat/note\.jpg"):
        load_data(f"imagefolder:{folder}")


@pytest.mark.parametrize(
    ("classes", "words"),
    [((), "no class folder in"), (("cat",), "only the class 'cat'")],
)
def test_fewer_than_two_classes_name_the_folder(tmp_path, classes, words):
    (tmp_path / "train").mkdir()
    for name in classes:
        paint(tmp_path / "train" / name / "0.png", 1)
    with pytest.raises(DataError, match=f"{words}.*{tmp_path.name}/train"):
        load_data(f"imagefolder:{tmp_path}")


def test_a_folder_without_train_says_what_is_expected(tmp_path):
    with pytest.raises(DataError, match=r"no folder 'train' in .*expected .*/train/<class>"):
        load_data(f"imagefolder:{tmp_path}")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no folder .*/nowhere"):
        load_data(f"imagefolder:{tmp_path}/nowhere")


def test_an_empty_class_is_named(folder):
    (folder / "train" / "owl").mkdir()
    with pytest.raises(DataError, match="train/owl holds no image"):
        load_data(f"imagefolder:{folder}")


def test_a_validation_class_unknown_to_train_is_named(folder):
    paint(folder / "val" / "emu" / "0.png", 1)
    with pytest.raises(DataError, match="val/emu is no class"):
        load_data(f"imagefolder:{folder}")


def test_different_sizes_become_the_commonest_shorter_side(folder):
    paint(folder / "train" / "cat" / "wide.png", 50, size=(40, 20))
    paint(folder / "train" / "cat" / "tall.png", 60, size=(30, 64), mode="L")
    data = load_data(f"imagefolder:{folder}")
    assert data.input_shape == (3, 12, 12)
    assert data.train.images[10, :, 6, 6].tolist() == [60, 60, 60]


def test_resizing_keeps_the_aspect_and_cuts_the_centre(folder):
    stripes = np.zeros((16, 48, 3), dtype=np.uint8)
    stripes[:, 16:32] = 200
    Image.fromarray(stripes).save(folder / "test" / "dog" / "stripes.png")
    data = load_data(f"imagefolder:{folder}?image_size=8")
    assert data.input_shape == (3, 8, 8)
    centre = data.test.images[-1, 0]
    assert centre[:, 1:-1].unique().tolist() == [200]


@pytest.mark.parametrize(("size", "padding"), [(32, 4), (64, 4), (65, 0)])
def test_small_images_are_cropped_at_random_and_large_ones_only_mirrored(folder, size, padding):
    data = load_data(f"imagefolder:{folder}?image_size={size}")
    assert data.augmentation.flip
    assert data.augmentation.crop_padding == padding


def test_normalisation_is_an_option(folder):
    data = load_data(f"imagefolder:{folder}?mean=0.5,0.5,0.5&std=0.25,0.25,0.25")
    assert data.mean == (0.5, 0.5, 0.5)
    assert data.std == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("image_size=big", "image_size must be pixels"),
        ("mean=a,b,c", "mean must be numbers"),
        ("mean=0.5", "mean and std need 3 values"),
        ("flip=no", "unknown option flip; there is: image_size, mean, std"),
        ("image_size", "write options as name=value"),
    ],
)
def test_a_wrong_option_says_what_is_right(folder, option, words):
    with pytest.raises(DataError, match=words):
        load_data(f"imagefolder:{folder}?{option}")


def test_the_cache_answers_without_decoding_and_with_the_same_digest(
    folder, tmp_path_factory, monkeypatch
):
    cache = tmp_path_factory.mktemp("cache")
    name = f"imagefolder:{folder}"
    first = load_data(name, cache_dir=cache)
    monkeypatch.setattr(imagefolder, "decode", None)  # decoding again would fail
    again = load_data(name, cache_dir=cache)
    assert again.digest == first.digest
    assert again.classes == first.classes
    assert again.augmentation == first.augmentation


def test_a_changed_file_is_decoded_again(folder, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    name = f"imagefolder:{folder}"
    before = load_data(name, cache_dir=cache)
    changed = folder / "train" / "cat" / "00.png"
    paint(changed, 77)
    os.utime(changed, ns=(1, 1))
    after = load_data(name, cache_dir=cache)
    assert after.train.images[0, 0, 0, 0] == 77
    assert after.digest != before.digest


def test_a_torn_cache_file_is_made_again(folder, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    name = f"imagefolder:{folder}"
    first = load_data(name, cache_dir=cache)
    (stored,) = cache.iterdir()
    stored.write_bytes(stored.read_bytes()[:100])
    again = load_data(name, cache_dir=cache)
    assert again.digest == first.digest
    assert torch.equal(load_data(name, cache_dir=cache).train.images, first.train.images)
