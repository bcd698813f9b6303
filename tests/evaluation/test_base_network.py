"""The unpruned network's score, and the warning about a split it has been trained on."""

import dataclasses

import torch
from tiny_network import TinyNetwork, untrained

from autoprune.data.dataset import Split
from autoprune.data.splitting import stratified_order
from autoprune.evaluation import base
from autoprune.evaluation.contract import Metric
from autoprune.evaluation.scoring import validate
from autoprune.evaluation.training import TrainingPlan, train


def test_the_base_is_scored_on_the_validation_split(digits, network):
    loss, accuracy = validate(network, digits, "val")
    said = base.score_base(network, digits, Metric("accuracy", "maximize"))
    assert said == {"score": accuracy, "loss": loss, "accuracy": accuracy}


def test_test_accuracy_is_of_the_test_split(digits, network):
    assert base.figure(network, digits, "test") == validate(network, digits, "test")[1]
    assert base.figure(network, dataclasses.replace(digits, test=None), "test") is None


def carved(digits, noise: float):
    """Validation carved out of images whose labels are partly wrong: they must be memorised."""
    generator = torch.Generator().manual_seed(0)
    order = stratified_order(digits.train.labels, 0)[:400]
    labels = digits.train.labels.clone()
    wrong = torch.rand(len(labels), generator=generator) < noise
    labels[wrong] = torch.randint(0, 10, (int(wrong.sum()),), generator=generator)
    split = Split(digits.train.images, labels).take(order)
    index = torch.arange(400)
    return dataclasses.replace(
        digits,
        train=split.take(index[100:]),
        val=split.take(index[:100]),
        val_carved=True,
        augmentation=dataclasses.replace(digits.augmentation, crop_padding=0),
    )


class Memory(TinyNetwork):
    """Answers by the nearest of the images it was given."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        super().__init__()
        self.images, self.labels = images.flatten(1), labels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nearest = torch.cdist(x.flatten(1), self.images).argmin(1)
        return 5.0 * torch.nn.functional.one_hot(self.labels[nearest], 10).float()


def memory_of(data, *splits: str) -> Memory:
    chosen = [data.split(name) for name in splits]
    images = torch.cat([data.normalise(split.images) for split in chosen])
    return Memory(images, torch.cat([split.labels for split in chosen]))


def test_a_network_that_has_seen_the_carved_images_is_reported(digits):
    data = carved(digits, noise=0.3)
    warning = base.leakage_warning(memory_of(data, "train", "val"), data)
    assert warning is not None
    assert "100.0%" in warning
    assert "trained on both" in warning


def test_a_network_that_has_not_seen_them_is_not(digits):
    data = carved(digits, noise=0.3)
    assert base.leakage_warning(memory_of(data, "train"), data) is None


def test_a_split_of_its_own_is_not_suspected(digits):
    data = dataclasses.replace(carved(digits, noise=0.3), val_carved=False)
    assert base.leakage_warning(memory_of(data, "train", "val"), data) is None


def test_an_untrained_network_is_not_suspected(digits):
    data = carved(digits, noise=0.0)
    assert base.leakage_warning(untrained(), data) is None


def test_a_network_trained_on_everything_is_reported(digits):
    data = carved(digits, noise=0.0)
    everything = dataclasses.replace(
        data,
        train=Split(
            torch.cat([data.train.images, data.val.images]),
            torch.cat([data.train.labels, data.val.labels]),
        ),
    )
    model = train(
        untrained(), everything, TrainingPlan(epochs=12, batch_size=32, learning_rate=0.2), seed=0
    )
    assert base.leakage_warning(model, data) is not None
