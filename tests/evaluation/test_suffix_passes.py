"""Passes that leave out what was recorded end with the bits of whole ones, or leave nothing out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import probe_networks
import pytest
import torch
from probe_networks import CountedConv, Reused, Wearing, computed, network
from torch import nn
from torch.nn import functional

from autoprune.evaluation.call_order import read_call_order
from autoprune.evaluation.suffix import Recording, record, suffix_only

ROOM = 2**30


def images(count: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


@contextmanager
def changed(base: nn.Module, *tensors: str, room: int = ROOM) -> Iterator[nn.Module]:
    """A copy of ``base`` with these tensors changed, computing only what must be."""
    shown = images()
    order = read_call_order(base, shown)
    recording = record(base, shown, order, room)
    made = altered(base, *tensors)
    recordings = [] if recording is None else [recording]
    with torch.no_grad(), suffix_only(made, order, recordings, order.first_read(tensors)):
        yield made


def altered(base: nn.Module, *tensors: str) -> nn.Module:
    made = copy.deepcopy(base)
    with torch.no_grad():
        for name, tensor in made.state_dict().items():
            if name in tensors:
                tensor.mul_(1.5)
    return made


def whole(base: nn.Module, *tensors: str, shown: torch.Tensor | None = None) -> torch.Tensor:
    with torch.no_grad():
        return altered(base, *tensors)(images() if shown is None else shown)


class Odd(nn.Module):
    """Reads the weights of ``late`` before it is called, and has a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = CountedConv(3, 5, 3)
        self.second = CountedConv(5, 5, 3)
        self.late = CountedConv(5, 5, 3)
        self.scale = nn.Parameter(torch.full((1, 5, 1, 1), 1.1))
        self.never = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.conv2d(self.first(x), self.late.weight)
        return self.late(self.second(x) * self.scale).sum((2, 3))


class InPlaceBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = CountedConv(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x.relu_())


class InPlace(nn.Module):
    """Blocks that change what they are given, which is used again after them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = CountedConv(3, 4, 3)
        self.blocks = nn.ModuleList(InPlaceBlock() for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x.add_(block(x))
        return x.sum((2, 3))


class Noisy(nn.Module):
    """Draws random numbers, also in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.first = CountedConv(3, 4, 3)
        self.second = CountedConv(4, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(functional.dropout(self.first(x))).sum((2, 3))


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(8)
    return make().eval()


@pytest.mark.parametrize("make", [Reused, Odd, InPlace])
@pytest.mark.parametrize("room", [ROOM, 60_000])
def test_whichever_tensor_changes_the_output_is_that_of_a_whole_pass(
    make: Callable[[], nn.Module], room: int
) -> None:
    base = seeded(make)
    for tensor, value in base.state_dict().items():
        if value.is_floating_point():
            with changed(base, tensor, room=room) as network:
                for _ in range(2):
                    assert torch.equal(network(images()), whole(base, tensor)), tensor


def test_several_changes_are_computed_from_the_first_of_them() -> None:
    base = seeded(Reused)
    with changed(base, "head.weight", "plain.bias") as made:
        computed.clear()
        assert torch.equal(made(images()), whole(base, "head.weight", "plain.bias"))
    assert computed[12] == 2  # here and in the whole pass
    assert computed[24] == 1


def test_a_stage_before_the_change_returns_at_once() -> None:
    base = network("autoprune:resnet20")
    order = read_call_order(base, images())
    recording = record(base, images(), order, ROOM)
    assert recording is not None
    kept = {order.calls[number].module for number in recording.outputs}
    assert {"layer1", "layer2.1", "layer3.0.conv1"} <= kept
    only_stages = Recording(
        recording.images,
        {n: out for n, out in recording.outputs.items() if order.calls[n].module == "layer2"},
    )
    made = copy.deepcopy(base)
    entered = entries(made, "layer2.0.conv1", "layer3.0.conv1")
    until = order.first_read(["layer3.0.conv1.weight"])
    with torch.no_grad(), suffix_only(made, order, [only_stages], until):
        assert torch.equal(made(images()), whole(base))
    assert entered == ["layer3.0.conv1"]


def entries(network: nn.Module, *names: str) -> list[str]:
    """Fills up with the names of the layers that compute."""
    seen: list[str] = []
    for name in names:
        layer = network.get_submodule(name)

        def compute(x: torch.Tensor, name: str = name, layer: nn.Module = layer) -> torch.Tensor:
            seen.append(name)
            return type(layer).forward(layer, x)

        vars(layer)["forward"] = compute
    return seen


def test_weights_count_from_where_they_are_read_not_from_where_their_module_is_called() -> None:
    order = read_call_order(seeded(Odd), images())
    assert order.read["first.weight"] < order.read["late.weight"] < order.read["second.weight"]
    assert order.read["second.weight"] < order.read["scale"] < order.read["late.bias"]
    assert order.first_read(["late.bias", "second.bias"]) == order.read["second.bias"]


def test_of_weights_that_are_never_read_nothing_is_known() -> None:
    order = read_call_order(seeded(Odd), images())
    assert "never.weight" not in order.read
    assert order.first_read(["late.bias", "never.weight"]) == 0


def test_without_a_change_nothing_is_computed() -> None:
    base = seeded(Reused)
    with changed(base) as made:
        computed.clear()
        output = made(images())
    assert not computed
    assert torch.equal(output, whole(base))


@pytest.mark.parametrize(
    "shown", [images(3, seed=1), images(2), images().to(memory_format=torch.channels_last)]
)
def test_images_that_were_not_recorded_are_computed(shown: torch.Tensor) -> None:
    base = seeded(Reused)
    with changed(base, "head.weight") as made:
        computed.clear()
        assert torch.equal(made(shown), whole(base, "head.weight", shown=shown))
    assert computed[11] == 6


def with_gradients(made: nn.Module) -> torch.Tensor:
    with torch.enable_grad():
        return made(images())


def with_autocast(made: nn.Module) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return made(images())


def in_training_mode(made: nn.Module) -> torch.Tensor:
    made.get_submodule("norm").train()
    return made(images())


def with_a_hook(made: nn.Module) -> torch.Tensor:
    made.get_submodule("plain").register_forward_hook(lambda layer, given, output: 2 * output)
    return made(images())


@pytest.mark.parametrize("use", [with_gradients, with_autocast, in_training_mode, with_a_hook])
def test_a_pass_of_another_kind_than_the_recorded_one_is_computed(
    use: Callable[[nn.Module], torch.Tensor],
) -> None:
    base = seeded(Reused)
    with changed(base, "head.weight") as made:
        output = use(made)
    with torch.no_grad():
        assert torch.equal(output, use(altered(base, "head.weight")))


def test_a_part_that_is_called_alone_is_computed() -> None:
    base, shown = seeded(Reused), torch.rand(1, 12)
    with changed(base, "head.weight") as made:
        assert torch.equal(made.get_submodule("hidden")(shown), base.get_submodule("hidden")(shown))


def test_nothing_is_recorded_of_a_network_that_draws_random_numbers() -> None:
    base = seeded(Noisy)
    order = read_call_order(base, images())
    before = torch.get_rng_state()
    assert record(base, images(), order, ROOM) is None
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_is_recorded_of_a_network_that_remembers_its_passes() -> None:
    base = seeded(Wearing)
    assert record(base, images(), read_call_order(base, images()), ROOM) is None


def test_nothing_is_recorded_of_a_network_with_hooks() -> None:
    base = seeded(Reused)
    base.get_submodule("stem").register_forward_pre_hook(lambda layer, given: None)
    assert record(base, images(), read_call_order(base, images()), ROOM) is None


def test_nothing_is_recorded_where_calls_come_in_another_order() -> None:
    order = read_call_order(seeded(Odd), images())
    recording = record(seeded(Reused), images(), order, ROOM)
    assert recording is not None
    assert not recording.outputs


@pytest.mark.parametrize("room", [40_000, 100_000, 400_000])
def test_what_is_recorded_stays_within_its_memory(room: int) -> None:
    base = seeded(Reused)
    recording = record(base, images(), read_call_order(base, images()), room)
    assert recording is not None
    kept = [recording.images, *recording.outputs.values()]
    assert sum(tensor.nbytes for tensor in kept) <= room
    assert recording.outputs


def test_images_that_do_not_fit_are_not_recorded() -> None:
    base = seeded(Reused)
    order = read_call_order(base, images())
    assert record(base, images(), order, images().nbytes - 1) is None


def test_a_network_computes_all_of_itself_again_afterwards() -> None:
    base = seeded(Reused)
    with changed(base, "head.weight") as made:
        pass
    computed.clear()
    made(images())
    assert computed == {11: 3, 24: 1, 12: 1}
    assert all("forward" not in vars(module) for module in made.modules())


def test_the_order_says_what_is_called_within_what() -> None:
    order = read_call_order(probe_networks.network("autoprune:resnet20"), images())
    names = [call.module for call in order.calls]
    assert names[:5] == ["", "conv1", "layer1", "layer1.0", "layer1.0.conv1"]
    stage = order.calls[names.index("layer1")]
    assert names[stage.after] == "layer2"
    assert order.reached["layer1.2.bn2"] < stage.ended < order.reached["layer2"]
    assert order.reached["layer1.0.bn1"] > order.read["layer1.0.conv1.weight"]
