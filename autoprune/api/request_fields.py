"""What of a job file may come over HTTP, and what may not: paths, addresses and code."""

from __future__ import annotations

JOB_ID = r"^[0-9a-f]{8}$"
"""A whole id, as the lists give it."""

_OPERATOR = "is the server's own: leave it out"

REFUSED = {
    "db": _OPERATOR,
    "artifacts": _OPERATOR,
    "out": "names a folder of the server: leave it out, and read /v1/jobs/{id}/export",
    "weights": "names a file of the server: they come with a model's name, see /v1/models",
    "task": "names code of the server: it comes with a model's name, see /v1/models",
    "executor": _OPERATOR,
    "address": _OPERATOR,
    "ray_gpus": _OPERATOR,
    "workers": "is said to 'autoprune worker': leave it out",
}
"""Field -> why not."""

MOST = {
    "trials": 100_000,
    "lookahead": 256,
    "batch": 1_024,
    "threads": 1_024,
    "train_threads": 1_024,
    "seed": 2**31 - 1,
    "divisor": 65_536,
    "probe_images": 10_000_000,
    "race_steps": 1_000_000,
    "finetune_epochs": 10_000,
    "fidelity.steps": 1_000_000,
    "fidelity.batch_size": 65_536,
    "fidelity.reconstruction_batches": 100_000,
    "fidelity.recalibration_batches": 100_000,
    "fidelity.validation_images": 10_000_000,
}
"""Field -> the largest value; what a job file may say is bounded by its author's machine alone."""
