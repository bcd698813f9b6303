"""The fingerprint says what scores depend on, and names no host."""

import platform

import pytest
import torch

from autoprune.errors import InputError
from autoprune.evaluation.environment import (
    environment_fingerprint,
    prepare_training,
    training_device,
)


def test_the_fingerprint_names_torch_capability_and_threads():
    said = environment_fingerprint(1)
    assert torch.__version__ in said
    assert torch.backends.cpu.get_cpu_capability() in said
    assert platform.node() not in said
    assert said == environment_fingerprint(1)
    assert said != environment_fingerprint(2)


def test_training_threads_are_set():
    before = torch.get_num_threads()
    try:
        prepare_training(2)
        assert torch.get_num_threads() == 2
    finally:
        prepare_training(before)


def test_no_threads_are_refused():
    with pytest.raises(InputError, match="at least 1, got 0"):
        prepare_training(0)


@pytest.mark.parametrize(
    ("count", "name", "says"),
    [(0, "cuda", "--train-device cpu"), (2, "cuda:2", "2 GPU(s), counted from cuda:0")],
)
def test_a_gpu_that_is_not_here_is_refused(monkeypatch, count, name, says):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(InputError) as refused:
        environment_fingerprint(1, name)
    assert f"'{name}' is not here" in str(refused.value)
    assert says in str(refused.value)


def test_a_gpu_has_a_fingerprint_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU of {device}")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91900)
    said = environment_fingerprint(1, "cuda:1")
    assert said.startswith(environment_fingerprint(1))
    assert "GPU of cuda:1" in said
    assert "CUDA 13.0, cuDNN 91900" in said
    assert training_device("cuda") == torch.device("cuda", 0)
