"""What loaders of a task may yield: any targets with one entry an image, and what is refused."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from autoprune.data.dataset import Dataset
from autoprune.data.loaders import materialise
from autoprune.data.split import Split
from autoprune.data.targets import join, take
from autoprune.data.task import Task
from autoprune.errors import DataError

TASK = Task(loss=lambda outputs, targets: (outputs - targets).square().mean())
IMAGES = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
BOXES = [{"boxes": torch.full((count, 4), float(count)), "id": count} for count in range(6)]


def read(items, val=None):
    return materialise(items, items if val is None else val, name="mine", task=TASK)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool])
def test_tensors_of_any_type_and_shape_stay_what_they_are(dtype):
    masks = (torch.rand(6, 3, 5) > 0.5).to(dtype)
    data = read(DataLoader(TensorDataset(IMAGES, masks), batch_size=4))
    assert data.train.targets.dtype == dtype
    assert torch.equal(data.train.targets, masks)
    assert data.classes == ()


def test_a_list_has_one_tree_an_image_whatever_its_size():
    data = read([(IMAGES[:4], BOXES[:4]), (IMAGES[4:], BOXES[4:])])
    assert [target["id"] for target in data.train.targets] == list(range(6))
    assert data.train.targets[5]["boxes"].shape == (5, 4)


def test_a_tuple_of_images_and_one_of_targets_are_a_batch():
    data = read([(tuple(IMAGES), tuple(BOXES))])
    assert torch.equal(data.train.images, IMAGES)
    assert len(data.train.targets) == 6


def test_dicts_and_tuples_keep_their_parts():
    items = [(IMAGES[:4], {"age": torch.arange(4), "at": (torch.ones(4, 2), BOXES[:4])})]
    targets = read(
        [*items, (IMAGES[4:5], {"age": torch.tensor([9]), "at": (torch.zeros(1, 2), [{}])})]
    )
    age, (place, boxes) = targets.train.targets["age"], targets.train.targets["at"]
    assert age.tolist() == [0, 1, 2, 3, 9]
    assert place.shape == (5, 2)
    assert boxes[-1] == {}


def test_single_images_stack_numbers_and_tensors_and_list_the_rest():
    assert read([(image, 0.5) for image in IMAGES]).train.targets.tolist() == [0.5] * 6
    masks = read([(image, np.ones((4, 4))) for image in IMAGES]).train.targets
    assert masks.shape == (6, 4, 4)
    assert len(read([(image, {"x": 1}) for image in IMAGES]).train.targets) == 6


def test_what_is_taken_can_be_written_to_without_changing_the_data():
    for targets in (torch.zeros(3, 2), [torch.zeros(2)] * 3, {"a": torch.zeros(3)}):
        taken = take(targets, torch.tensor([2, 0]))
        for leaf in taken.values() if isinstance(taken, dict) else taken:
            leaf.fill_(1.0)
        again = take(targets, torch.arange(3))
        leaves = again.values() if isinstance(again, dict) else again
        assert not any(leaf.any() for leaf in leaves)


def test_joined_batches_are_the_batch_that_was_split():
    whole = {"out": torch.rand(5, 2), "boxes": [1, 2, 3, 4, 5], "pair": (torch.rand(5), [0] * 5)}
    parts = [take(whole, torch.tensor([0, 1, 2])), take(whole, torch.tensor([3, 4]))]
    joined = join(parts)
    assert torch.equal(joined["out"], whole["out"])
    assert joined["boxes"] == whole["boxes"]
    assert torch.equal(joined["pair"][0], whole["pair"][0])


def test_the_hash_sees_every_value_of_every_target():
    def digest(**changes):
        boxes = [{**BOXES[0], **changes}, *BOXES[1:]]
        return read([(IMAGES, boxes)]).digest

    assert digest() == digest()
    others = {digest(id=7), digest(boxes=torch.zeros(1, 4)), digest(more=1)}
    assert len(others | {digest()}) == 4


def test_the_task_is_not_part_of_the_datas_hash():
    labels = torch.arange(6) % 2
    pairs = TensorDataset(IMAGES, labels)
    plain = materialise(pairs, pairs, classes=["0", "1"])
    assert materialise(pairs, pairs, classes=["0", "1"], task=TASK).digest == plain.digest


def test_without_validation_a_part_is_carved_that_needs_no_classes():
    data = materialise([(IMAGES, torch.rand(6, 2))], name="mine", task=TASK)
    assert data.val_carved
    assert (len(data.train), len(data.val)) == (5, 1)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ((IMAGES, torch.zeros(5)), r"item 0: expected 6 targets.*float32 of shape \[5\]"),
        ((IMAGES, [1, 2]), "expected 6 targets, one an image, got list of 2"),
        ((IMAGES, {"a": torch.zeros(6), "b": torch.zeros(2)}), r"got \['b'\] torch.float32"),
        ((IMAGES, torch.zeros(())), "expected 6 targets"),
        ((IMAGES, "text"), "expected 6 targets.*got str"),
        ((IMAGES, [object()] * 6), "targets are made of tensors, numbers and text, got object"),
        (
            ([IMAGES[0], IMAGES[1][:, :2]], [1, 2]),
            "a list of images must be tensors .* of one shape",
        ),
        ((IMAGES[0, 0, 0], 1), r"images must be a tensor .* got torch.float32 of shape \[4\]"),
        (IMAGES, r"expected \(images, targets\)"),
    ],
)
def test_targets_that_do_not_fit_the_images_are_described(item, words):
    with pytest.raises(DataError, match=f"mine, train.*{words}"):
        read([item])


def test_targets_of_another_size_in_a_later_batch_are_described():
    items = [(IMAGES[:4], torch.zeros(4, 2)), (IMAGES[4:], torch.zeros(2, 3))]
    with pytest.raises(
        DataError, match=r"mine, train: the targets .* \[4, 2\].*one entry an image"
    ):
        read(items)


@pytest.mark.parametrize("shape", [(5,), (3, 7), (2, 3, 4, 5)])
def test_inputs_need_not_be_images(shape):
    inputs = torch.rand(6, *shape)
    loader = DataLoader(TensorDataset(inputs, torch.rand(6, 2)), batch_size=4)
    data = read(loader)
    assert data.input_shape == shape
    assert torch.equal(data.normalise(data.train.images), inputs)


def test_inputs_that_are_no_images_need_a_task():
    inputs = torch.rand(6, 5)
    split = Split(inputs, torch.arange(6) % 2)
    with pytest.raises(DataError, match=r"must have the shape \[N, C, H, W\].*--task"):
        Dataset("mine", ("a", "b"), split, split, None, (0.0,) * 5, (1.0,) * 5)
