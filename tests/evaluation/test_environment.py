"""The fingerprint says what scores depend on, and names no host."""

import platform

import pytest
import torch

from autoprune.errors import InputError
from autoprune.evaluation.environment import environment_fingerprint, set_training_threads


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
        set_training_threads(2)
        assert torch.get_num_threads() == 2
    finally:
        set_training_threads(before)


def test_no_threads_are_refused():
    with pytest.raises(InputError, match="at least 1, got 0"):
        set_training_threads(0)
