"""What scores are exact for: CPU training gives the same bits only in the same environment."""

from __future__ import annotations

import platform

import torch

from autoprune.errors import InputError


def environment_fingerprint(train_threads: int) -> str:
    """The environment in one readable line; it names no host.

    Training differs in its last bits between torch versions, instruction sets and numbers of
    threads, so scores of different fingerprints are never mixed silently.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    threads = f"{train_threads} training thread{'s' if train_threads > 1 else ''}"
    return f"torch {torch.__version__}, {platform.machine()} {capability}, {threads}"


def set_training_threads(count: int) -> None:
    """Train with ``count`` threads from here on, in this process."""
    if count < 1:
        raise InputError(f"train_threads must be at least 1, got {count}")
    torch.set_num_threads(count)
