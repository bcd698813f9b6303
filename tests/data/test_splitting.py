"""Stratified orders keep proportions in every prefix; foreign randomness is contained."""

import random

import numpy as np
import pytest
import torch

from autoprune.data.dataset import Split
from autoprune.data.seeding import isolated_randomness
from autoprune.data.splitting import carve_validation, stratified_order


@pytest.mark.parametrize("count", [10, 50, 137])
def test_every_prefix_holds_the_classes_in_proportion(count):
    labels = torch.arange(600) // 200  # sorted by class, as folders give them
    chosen = labels[stratified_order(labels, 0)[:count]]
    assert (torch.bincount(chosen, minlength=3) - count / 3).abs().max() <= 1.5


def test_an_order_is_a_permutation_that_its_seed_decides():
    labels = torch.arange(90) % 4
    order = stratified_order(labels, 5)
    assert torch.equal(order.sort().values, torch.arange(90))
    assert torch.equal(order, stratified_order(labels, 5))
    assert not torch.equal(order, stratified_order(labels, 6))


def test_carving_takes_a_tenth_and_leaves_the_rest():
    images = torch.arange(200).float().view(200, 1, 1, 1)
    train, val = carve_validation(Split(images, torch.arange(200) % 5))
    assert (len(train), len(val)) == (180, 20)
    assert torch.equal(torch.bincount(val.labels), torch.full((5,), 4))
    both = torch.cat([train.images, val.images]).flatten().sort().values
    assert torch.equal(both, images.flatten())


def test_isolated_randomness_repeats_inside_and_leaves_no_trace():
    def draw() -> tuple[float, float, float]:
        return float(torch.rand(())), float(np.random.rand()), random.random()

    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    undisturbed = [draw(), draw()]
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    before = draw()
    with isolated_randomness(9):
        inside = draw()
    with isolated_randomness(9):
        assert draw() == inside
    assert [before, draw()] == undisturbed


def test_randomness_comes_back_after_an_exception():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    with pytest.raises(IndexError), isolated_randomness(9):
        torch.rand(3)[7]
    assert torch.equal(torch.get_rng_state(), state)
