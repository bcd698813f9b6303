"""Hashes that decide identity: of a job's ``what``, of an evaluation, of a finished search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from autoprune.trials.records import FinalistRecord, Json, TrialLine, TrialResult


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


def job_digest(what_hash: str, told: Iterable[TrialLine], ranking: Sequence[FinalistRecord]) -> str:
    """Digest of everything promise P2 covers: no times, no error texts, nothing measured.

    It is :func:`hash_of` an object with ``finalists``, ``trials`` and ``what``, without holding the
    trials of a big job.

    Args:
        told: the trials that were told, in order.
        ranking: the finalists, best first; empty before the race ended.
    """
    ranked = [
        [finalist.origin, finalist.trial, list(finalist.widths), _exact(finalist.result)]
        for finalist in ranking
    ]
    digest = hashlib.sha256(b'{"finalists":' + canonical(ranked) + b',"trials":[')
    comma = ""
    for line in told:
        digest.update(f"{comma}{_canonical_line(line)}".encode())
        comma = ","
    digest.update(b'],"what":' + canonical(what_hash) + b"}")
    return digest.hexdigest()


def _canonical_line(line: TrialLine) -> str:
    start = "null" if line.start_from is None else line.start_from
    score = "null" if line.score is None else f'"{float(line.score).hex()}"'
    return f'[{line.trial},"{line.purpose}",{line.widths.replace(" ", "")},{start},{score}]'


def _exact(result: TrialResult | None) -> str | None:
    if result is None or result.score is None:
        return None
    return float(result.score).hex()
