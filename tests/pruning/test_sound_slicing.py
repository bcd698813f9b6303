import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import onnxruntime
import pytest
import torch
from torch import nn

from autoprune.errors import ModelError, WeightsError
from autoprune.models.weights import state_hash
from autoprune.pruning.masking import masked_state
from autoprune.pruning.preflight import preflight
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import expand, fit, prune, slice_state
from benchmarks.random_schedules import random_kept
from latency_tables.runtimes.onnx_export import export_onnx

NETWORKS = [
    "autoprune:resnet20",
    "autoprune:digits_cnn",
    "autoprune:vgg16_bn",
    "torchvision:mobilenet_v2",
    "grouped",
]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_sliced_network_computes_what_the_masked_one_does(
    name: str, case: Callable[[str], Any]
) -> None:
    subject = case(name)
    inputs = torch.randn(2, *subject.example.shape[1:])
    for seed in range(3):
        kept = random_kept(subject.space, seed)
        masked = subject.model.state_dict()
        for group in subject.space.groups:
            masked = masked_state(masked, group, kept[group.name])
        with torch.no_grad():
            expected = fit(subject.model, masked)(inputs)
            got = prune(subject.model, subject.space, kept)(inputs)
            full = subject.model(inputs)
        assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()
        assert (full - expected).abs().max() > 1e-2 * full.abs().max()


@pytest.mark.parametrize("name", NETWORKS)
def test_pruned_networks_train_and_leave_the_unpruned_one_alone(
    name: str, case: Callable[[str], Any]
) -> None:
    subject = case(name)
    before = state_hash(subject.model.state_dict())
    pruned = prune(subject.model, subject.space, random_kept(subject.space, 5)).train()
    pruned(torch.randn(4, *subject.example.shape[1:])).square().mean().backward()
    optimizer = torch.optim.SGD(pruned.parameters(), lr=0.1)
    assert all(p.grad is not None and p.grad.shape == p.shape for p in pruned.parameters())
    optimizer.step()
    assert state_hash(subject.model.state_dict()) == before
    assert state_hash(pruned.state_dict()) != before


def test_removing_stream_channels_rewrites_the_channel_map(resnet20: Any) -> None:
    kept = {g.name: torch.arange(g.units) for g in resnet20.space.groups}
    kept["conv1"] = torch.tensor([0, 3, 15])
    kept["layer2.0.conv2"] = torch.tensor([0, 8, 9, 11, 23, 31])
    state = slice_state(resnet20.model.state_dict(), resnet20.space, kept)
    # Unpruned, outputs 8 to 23 hold inputs 0 to 15.
    assert state["layer2.0.shortcut.channel_map"].tolist() == [-1, 0, -1, 1, 2, -1]


def test_slicing_nothing_gives_the_same_tensors_in_memory_of_their_own(resnet20: Any) -> None:
    state = resnet20.model.state_dict()
    kept = {g.name: torch.arange(g.units) for g in resnet20.space.groups}
    sliced = slice_state(state, resnet20.space, kept)
    assert state_hash(sliced) == state_hash(state)
    assert all(sliced[n].data_ptr() != state[n].data_ptr() for n in state if state[n].numel())


@pytest.mark.parametrize("name", NETWORKS)
def test_slicing_what_was_expanded_gives_the_slice_again(
    name: str, case: Callable[[str], Any]
) -> None:
    subject = case(name)
    base, kept = subject.model.state_dict(), random_kept(subject.space, 2)
    sliced = slice_state(base, subject.space, kept)
    wide = expand(sliced, base, subject.space, kept)
    assert {n: t.shape for n, t in wide.items()} == {n: t.shape for n, t in base.items()}
    assert state_hash(slice_state(wide, subject.space, kept)) == state_hash(sliced)
    group = subject.space.groups[0]
    gone = sorted(set(range(group.units)) - set(kept[group.name].tolist()))
    for place in group.slices:
        if place.role != "values":
            lost = wide[place.tensor].index_select(place.dim, place.index[gone].reshape(-1))
            assert not lost.any()


def test_module_attributes_follow_the_tensors(mobilenet: Any, grouped: Any) -> None:
    for subject in (mobilenet, grouped):
        pruned = prune(subject.model, subject.space, random_kept(subject.space, 0))
        for module in pruned.modules():
            if isinstance(module, nn.Conv2d):
                rebuilt: nn.Module = nn.Conv2d(
                    module.in_channels, module.out_channels, module.kernel_size,
                    groups=module.groups, bias=module.bias is not None,
                )  # fmt: skip
            elif isinstance(module, nn.Linear):
                rebuilt = nn.Linear(module.in_features, module.out_features)
            elif isinstance(module, nn.BatchNorm2d):
                rebuilt = nn.BatchNorm2d(module.num_features)
            else:
                continue
            shapes = {n: t.shape for n, t in module.state_dict().items()}
            assert {n: t.shape for n, t in rebuilt.state_dict().items()} == shapes


WITHOUT_TENSORS = """
import copy, warnings
import torch
from torch import nn
from autoprune.pruning.groups import find_groups
from autoprune.pruning.surgery import prune
model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8), nn.Conv2d(8, 4, 3)).eval()
images = torch.randn(2, 3, 9, 9)
pruned = prune(model, find_groups(model, images), {"0": torch.arange(3)})
for network in (copy.deepcopy(pruned), pruned):
    network(images[0])
    print(network(images).shape, network[1].num_features, len(network[1]._forward_pre_hooks))
torch.export.export(copy.deepcopy(pruned), (images,))
print(any(f[1] and "num_features" in f[1].pattern for f in warnings.filters))
"""


def test_an_instance_norm_without_tensors_runs_at_fewer_channels_without_a_warning() -> None:
    """In a process of its own: the tests' runner has filters of warnings of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORS], capture_output=True, text=True, check=True
    )
    passed = "torch.Size([2, 4, 5, 5]) 3 0"
    assert ran.stdout.splitlines() == [passed, passed, "False"], "and no filter for all the process"
    assert "num_features" not in ran.stderr


def test_a_pruned_network_is_rebuilt_from_its_state_dict_alone(resnet20: Any) -> None:
    pruned = prune(resnet20.model, resnet20.space, random_kept(resnet20.space, 1))
    rebuilt = fit(resnet20.model, pruned.state_dict())
    inputs = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(rebuilt(inputs), pruned(inputs))
    state = dict(pruned.state_dict())
    state["odd"] = state.pop("linear.bias")
    with pytest.raises(WeightsError, match=r"missing \['linear.bias'\], unexpected \['odd'\]"):
        fit(resnet20.model, state)


@pytest.mark.parametrize("name", ["autoprune:resnet20", "torchvision:mobilenet_v2"])
def test_the_onnx_file_of_a_pruned_network_computes_the_same(
    name: str, case: Callable[[str], Any]
) -> None:
    subject = case(name)
    pruned = prune(subject.model, subject.space, random_kept(subject.space, 3))
    session = onnxruntime.InferenceSession(
        export_onnx(pruned, subject.example), providers=["CPUExecutionProvider"]
    )
    (got,) = session.run(None, {"input": subject.example.numpy()})
    with torch.no_grad():
        expected = pruned(subject.example)
    assert (torch.from_numpy(got) - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("units", [[], [3, 1], [0, 99], [2, 2], [-1, 3]])
def test_units_that_are_no_ascending_subset_are_refused(units: list[int], resnet20: Any) -> None:
    kept = {g.name: torch.arange(g.units) for g in resnet20.space.groups}
    kept["conv1"] = torch.tensor(units, dtype=torch.int64)
    with pytest.raises(ModelError, match="'conv1': expected ascending indices"):
        slice_state(resnet20.model.state_dict(), resnet20.space, kept)


def broken(subject: Any, group_name: str, role: str) -> SearchSpace:
    """The space with one place of one group shifted by a unit."""
    groups = []
    for group in subject.space.groups:
        places = list(group.slices)
        if group.name == group_name:
            at = next(i for i, place in enumerate(places) if place.role == role)
            places[at] = replace(places[at], index=places[at].index.roll(1, 0))
        groups.append(replace(group, slices=tuple(places)))
    return SearchSpace(tuple(groups))


@pytest.mark.parametrize(
    ("group", "role"), [("conv1", "values"), ("layer2.1.conv1", "input"), ("conv1", "through")]
)
def test_a_wrong_index_is_caught_and_the_other_groups_stay(
    group: str, role: str, resnet20: Any
) -> None:
    space = preflight(resnet20.model, resnet20.example, broken(resnet20, group, role))
    assert [left.name for left in space.left_out] == [group]
    assert "differs from the masked one" in space.left_out[0].reason
    assert len(space.groups) == len(resnet20.space.groups) - 1


def test_a_forgotten_consumer_is_caught(resnet20: Any) -> None:
    group = next(g for g in resnet20.space.groups if g.name == "layer1.0.conv1")
    partial = replace(group, slices=tuple(p for p in group.slices if p.role != "input"))
    space = preflight(resnet20.model, resnet20.example, SearchSpace((partial,)))
    assert "of its units stops" in space.left_out[0].reason
