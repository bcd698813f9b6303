"""Batches are a function of (seed, stream, number) and of nothing else."""

import dataclasses

import pytest
import torch

from autoprune.data.dataset import Split
from autoprune.evaluation.batches import ScoringBatches, TrainingBatches, derive_seed


def equal(one, other) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in pairs)


def test_the_same_key_gives_the_same_batches_whatever_the_global_state(digits):
    torch.manual_seed(1)
    first = list(TrainingBatches(digits, 64, 7, "finetune").first(20))
    torch.manual_seed(2)
    assert equal(first, TrainingBatches(digits, 64, 7, "finetune").first(20))


@pytest.mark.parametrize(("seed", "stream"), [(8, "finetune"), (7, "other")])
def test_seed_and_stream_both_matter(digits, seed, stream):
    first = list(TrainingBatches(digits, 64, 7, "finetune").first(2))
    assert not equal(first, TrainingBatches(digits, 64, seed, stream).first(2))


def test_a_longer_finetune_begins_like_a_shorter_one(digits):
    batches = TrainingBatches(digits, 64, 7, "finetune")
    assert equal(batches.first(5), list(batches.first(40))[:5])


def test_an_epoch_shows_every_image_once_and_the_next_in_another_order(digits):
    plain = TrainingBatches(digits, 50, 7, "finetune", augment=False)
    epochs = [torch.cat([images for images, _ in plain.epoch(number)]) for number in (0, 1)]
    everything = digits.normalise(digits.train.images)
    for shown in epochs:
        assert shown.shape == everything.shape
        assert torch.equal(shown.flatten(1).unique(dim=0), everything.flatten(1).unique(dim=0))
    assert not torch.equal(*epochs)


def test_labels_stay_with_their_images(digits):
    answers = {
        image.numpy().tobytes(): int(label)
        for image, label in zip(
            digits.normalise(digits.train.images), digits.train.labels, strict=True
        )
    }
    for images, labels in TrainingBatches(digits, 64, 7, "x", augment=False).first(4):
        assert [answers[image.numpy().tobytes()] for image in images] == labels.tolist()


def test_augmented_batches_differ_from_plain_ones_and_between_epochs(digits):
    small = dataclasses.replace(digits, train=digits.train.take(torch.arange(32)))
    plain = next(TrainingBatches(small, 32, 7, "x", augment=False).epoch(0))[0]
    first, second = (next(TrainingBatches(small, 32, 7, "x").epoch(n))[0] for n in (0, 1))
    assert not torch.equal(plain, first)
    assert not torch.equal(first.flatten(1).sum(0), second.flatten(1).sum(0))


def test_a_split_smaller_than_a_batch_is_one_batch(digits):
    small = dataclasses.replace(
        digits, train=Split(digits.train.images[:9], digits.train.labels[:9])
    )
    sizes = [len(labels) for _, labels in TrainingBatches(small, 64, 7, "x").first(3)]
    assert sizes == [9, 9, 9]


def test_scoring_covers_the_split_in_order_each_time(digits):
    batches = ScoringBatches(digits, "test", batch_size=100)
    for _ in range(2):
        labels = torch.cat([labels for _, labels in batches])
        assert torch.equal(labels, digits.test.labels)


def test_a_limited_scoring_set_holds_the_classes_in_proportion(digits):
    labels = torch.cat([labels for _, labels in ScoringBatches(digits, "val", limit=100)])
    assert len(labels) == 100
    counts = torch.bincount(labels, minlength=10)
    assert int(counts.min()) >= 9
    assert int(counts.max()) <= 11


def test_derived_seeds_are_stable_for_ever():
    assert derive_seed(0, "finetune", "order", 0) == 5861291539486627770
    assert derive_seed(1, 23) != derive_seed(12, 3)
