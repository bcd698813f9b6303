"""Randomness of foreign code, made repeatable without touching the process's own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def isolated_randomness(seed: int) -> Iterator[None]:
    """Inside, the global generators of torch, numpy and random start from ``seed``.

    On leaving they are as they were before. A user's model (dropout) and loaders (shuffling,
    augmentation) draw from them.
    """
    before = GeneratorStates()
    try:
        torch.default_generator.manual_seed(seed)
        if before.gpus:
            torch.cuda.manual_seed_all(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        yield
    finally:
        before.put_back()


class GeneratorStates:
    """Where the global generators stand; a GPU's are there once the process has used one."""

    def __init__(self) -> None:
        used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        numbers = range(torch.cuda.device_count()) if used else ()
        self.gpus = {number: torch.cuda.get_rng_state(number) for number in numbers}
        self._torch = torch.get_rng_state()
        self._python, self._numpy = random.getstate(), np.random.get_state()

    def put_back(self) -> None:
        """Let them stand there again."""
        torch.set_rng_state(self._torch)
        for number, state in self.gpus.items():
            torch.cuda.set_rng_state(state, number)
        random.setstate(self._python)
        np.random.set_state(self._numpy)

    def drawn_on_cpu(self) -> bool:
        """Whether somebody drew from those of the CPU since."""
        (_, keys, *rest), (_, before, *rest_before) = np.random.get_state(), self._numpy
        return not (
            torch.equal(torch.get_rng_state(), self._torch)
            and random.getstate() == self._python
            and np.array_equal(keys, before)
            and rest == rest_before
        )
