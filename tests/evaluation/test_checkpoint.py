"""A checkpoint comes back as it was, and its bytes depend on its content alone."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import save

from autoprune.errors import WeightsError
from autoprune.evaluation.checkpoint import pack, unpack

KEPT = {"b": torch.tensor([0, 2, 5]), "a": torch.tensor([1])}


def test_state_kept_and_extra_come_back():
    state = {
        "conv.weight": torch.rand(4, 3, 3, 3).to(memory_format=torch.channels_last),
        "linear.weight": torch.rand(5, 2).t(),
        "bn.num_batches_tracked": torch.tensor(7),
    }
    again, kept, extra = unpack(pack(state, KEPT, {"epoch": "3"}))
    assert again.keys() == state.keys()
    for name, tensor in state.items():
        assert torch.equal(again[name], tensor)
        assert again[name].dtype == tensor.dtype
    assert {name: units.tolist() for name, units in kept.items()} == {"a": [1], "b": [0, 2, 5]}
    assert extra == {"epoch": "3"}


def test_an_unpruned_network_has_no_kept():
    assert unpack(pack({"w": torch.zeros(1)}, None))[1] is None


def test_tied_tensors_are_allowed():
    weight = torch.rand(3, 3)
    again, _, _ = unpack(pack({"first": weight, "second": weight}, None))
    assert torch.equal(again["first"], weight)
    assert torch.equal(again["second"], weight)


def test_the_same_content_gives_the_same_bytes_in_any_process():
    script = (
        "import hashlib, torch; from autoprune.evaluation.checkpoint import pack;"
        "state = {f'w{n}': torch.full((n,), n) for n in range(9)};"
        "kept = {f'g{n}': torch.arange(n) for n in range(9)};"
        "data = pack(state, kept, {f'e{n}': str(n) for n in range(9)});"
        "print(hashlib.sha256(data).hexdigest())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    hashes = {process.communicate()[0] for process in processes}
    assert all(len(said.strip()) == 64 for said in hashes)
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a checkpoint at all",
        pack({"w": torch.zeros(50)}, None)[:-9],
        save({"w": torch.zeros(1)}),
        save({"w": torch.zeros(1)}, metadata={"autoprune": '{"format": "other"}'}),
    ],
)
def test_anything_else_is_refused(data):
    with pytest.raises(WeightsError, match=r"checkpoint"):
        unpack(data)
