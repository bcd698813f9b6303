"""Hashes that decide identity: of a job's ``what``, of an evaluation, of a finished search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from autoprune.trials.records import FinalistRecord, Json, TrialRecord, TrialResult


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces; NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def hash_of(value: object) -> str:
    """sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def evaluation_key(
    scope: Json, widths: Mapping[str, int], fidelity: Json, start: str | None
) -> str:
    """Key of a reusable evaluation.

    Args:
        scope: what all evaluations of a job share: hashes of base weights, data and groups,
            criterion, metric, seed, environment and algorithm version.
        start: the key of the evaluation whose weights it starts from; None for the base weights.
    """
    return hash_of({"scope": scope, "widths": dict(widths), "fidelity": fidelity, "start": start})


def job_digest(
    what_hash: str, trials: Sequence[TrialRecord], ranking: Sequence[FinalistRecord]
) -> str:
    """Digest of everything promise P2 covers: no times, no error texts, nothing measured.

    Args:
        trials: only those already told count.
        ranking: the finalists, best first; empty before the race ended.
    """
    told: list[list[Any]] = [
        [trial.index, trial.purpose, list(trial.widths), trial.start_from, _exact(trial.result)]
        for trial in trials
        if trial.state == "told"
    ]
    ranked = [
        [finalist.origin, finalist.trial, list(finalist.widths), _exact(finalist.result)]
        for finalist in ranking
    ]
    return hash_of({"what": what_hash, "trials": told, "finalists": ranked})


def _exact(result: TrialResult | None) -> str | None:
    if result is None or result.score is None:
        return None
    return float(result.score).hex()
