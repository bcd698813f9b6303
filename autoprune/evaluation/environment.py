"""What scores are exact for: training gives the same bits only in the same environment."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from autoprune.errors import InputError

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Without it, cuBLAS promises no repeatable sums (NVIDIA, cuBLAS, "Results reproducibility")."""


def environment_fingerprint(train_threads: int, train_device: str = "cpu") -> str:
    """The environment in one readable line; it names no host.

    Training differs in its last bits between torch versions, instruction sets and numbers of
    threads, and on a GPU between its models and CUDA's versions, so scores of different
    fingerprints are never mixed silently.

    Raises:
        InputError: the device is not here.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    threads = f"{train_threads} training thread{'s' if train_threads > 1 else ''}"
    line = f"torch {torch.__version__}, {platform.machine()} {capability}, {threads}"
    device = training_device(train_device)
    if device.type == "cpu":
        return line
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    versions = f"CUDA {torch.version.cuda}, cuDNN {cudnn}"
    return f"{line}, {torch.cuda.get_device_name(device)}, {versions}"


def training_device(name: str) -> torch.device:
    """The device that a spec names; raises InputError where it is not here."""
    device = torch.device(name)
    if device.type == "cpu":
        return device
    if not torch.cuda.is_available():
        raise InputError(
            f"train_device {name!r} is not here: torch {torch.__version__} "
            + ("finds no GPU" if torch.version.cuda else "is a build without CUDA")
            + ". Install a CUDA build where there is a GPU, or train on the CPU, --train-device "
            "cpu; a job that began on a GPU goes on there with --accept-environment"
        )
    if (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"train_device {name!r} is not here: torch finds {torch.cuda.device_count()} "
            "GPU(s), counted from cuda:0"
        )
    return torch.device("cuda", device.index or 0)


def prepare_training(threads: int, train_device: str = "cpu") -> None:
    """Train with ``threads`` threads from here on in this process, on a GPU deterministically.

    Operators of which CUDA has no deterministic version warn once each and are used nevertheless.
    Convolutions may use TF32 where the GPU has it, as torch lets them by default; matrix products
    may not.
    """
    set_training_threads(threads)
    on_gpu = training_device(train_device).type == "cuda"
    # Off again as well: a worker takes jobs of both kinds, and a CPU's last bits depend on it.
    torch.use_deterministic_algorithms(on_gpu, warn_only=True)
    if on_gpu:
        os.environ.setdefault(_WORKSPACE, ":4096:8")
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = True
        torch.set_float32_matmul_precision("highest")


def set_training_threads(count: int) -> None:
    """Train with ``count`` threads from here on, in this process."""
    if count < 1:
        raise InputError(f"train_threads must be at least 1, got {count}")
    torch.set_num_threads(count)


@contextmanager
def settings_kept() -> Iterator[None]:
    """Afterwards torch is set as it was before, whatever :func:`prepare_training` was told."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    cudnn = torch.backends.cudnn
    chosen, precision = (cudnn.benchmark, cudnn.allow_tf32), torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
        cudnn.benchmark, cudnn.allow_tf32 = chosen
        torch.set_float32_matmul_precision(precision)
