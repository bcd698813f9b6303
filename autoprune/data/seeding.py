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
    python_state, numpy_state = random.getstate(), np.random.get_state()
    gpus = _gpus_in_use()
    with torch.random.fork_rng(devices=gpus):
        try:
            torch.default_generator.manual_seed(seed)
            if gpus:
                torch.cuda.manual_seed_all(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


def _gpus_in_use() -> list[int]:
    """Numbers of those whose generators exist; a process that never used one has none."""
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return [*range(torch.cuda.device_count())] if used else []
