"""Training learns, and resumes after any epoch with the same bits."""

import dataclasses
import itertools

import pytest
import torch
from tiny_network import untrained

from autoprune.errors import InputError, WeightsError
from autoprune.evaluation.losses import DivergedError
from autoprune.evaluation.scoring import validate
from autoprune.evaluation.training import TrainingPlan, train

PLAN = TrainingPlan(
    epochs=3, batch_size=100, learning_rate=0.1, label_smoothing=0.1, warmup=0.1, teacher=0.5
)


def checkpoints(digits, network) -> list[bytes]:
    kept: list[bytes] = []
    train(
        untrained(),
        digits,
        PLAN,
        seed=1,
        teacher=network,
        on_epoch=lambda epoch, data, loss: kept.append(data),
    )
    return kept


def test_a_trained_network_has_learned(digits, network):
    assert validate(network, digits)[1] > 0.9


def test_a_resumed_training_equals_an_uninterrupted_one_bit_for_bit(digits, network):
    kept = checkpoints(digits, network)
    assert len(kept) == PLAN.epochs
    for done in (1, 2):
        torch.manual_seed(done)
        model = untrained()
        torch.nn.init.zeros_(model.conv1.weight)  # must come from the checkpoint
        last: list[bytes] = []
        train(
            model,
            digits,
            PLAN,
            seed=1,
            teacher=network,
            resume=kept[done - 1],
            on_epoch=lambda epoch, data, loss, last=last: last.append(data),
        )
        assert len(last) == PLAN.epochs - done
        assert last[-1] == kept[-1]


def test_a_finished_training_resumes_to_the_same_network(digits, network):
    kept = checkpoints(digits, network)
    model = train(untrained(), digits, PLAN, seed=1, teacher=network, resume=kept[-1])
    again = train(untrained(), digits, PLAN, seed=1, teacher=network)
    for name, value in again.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert not model.training


def test_the_seed_decides_and_the_global_generator_is_left_alone(digits):
    plan = TrainingPlan(epochs=1, batch_size=200)
    state = torch.get_rng_state()
    weights = []
    for seed in (1, 1, 2):
        model = untrained()
        torch.manual_seed(int(torch.seed()) % 1000)
        state = torch.get_rng_state()
        train(model, digits, plan, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        weights.append(model.conv1.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("change", [{"learning_rate": 0.2}, {"epochs": 4}])
def test_a_checkpoint_of_another_plan_is_refused(digits, network, change):
    kept = checkpoints(digits, network)
    with pytest.raises(InputError, match="belongs to the training"):
        train(untrained(), digits, dataclasses.replace(PLAN, **change), seed=1, resume=kept[0])


def test_a_checkpoint_of_another_network_is_refused(digits, network):
    kept = checkpoints(digits, network)
    with pytest.raises(WeightsError, match="does not fit"):
        train(torch.nn.Linear(2, 2), digits, PLAN, seed=1, resume=kept[0])


def test_progress_counts_every_step_and_the_loss_falls(digits):
    steps: list[tuple[int, int]] = []
    losses: list[float] = []
    train(
        untrained(),
        digits,
        TrainingPlan(epochs=3, batch_size=100),
        seed=1,
        on_step=lambda done, total: steps.append((done, total)),
        on_epoch=lambda epoch, data, loss: losses.append(loss),
    )
    assert steps == [(number, 30) for number in range(1, 31)]
    assert losses[2] < losses[0]


def test_the_learning_rate_rises_then_falls_to_zero():
    plan = TrainingPlan(epochs=1, learning_rate=0.4, warmup=0.25)
    rates = [plan.learning_rate_at(step, 40) for step in range(40)]
    assert rates[:10] == pytest.approx([0.04 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(0.4)
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[10:]))
    assert 0 < rates[-1] < 0.01


def test_a_diverging_training_says_at_which_step(digits):
    with pytest.raises(DivergedError, match="at step"):
        train(untrained(), digits, TrainingPlan(epochs=2, learning_rate=1e30), seed=0)
