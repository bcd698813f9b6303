"""Measured finalists become a better calibration for the next job, or none at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from autoprune.jobs import learning
from autoprune.jobs.context import silent
from autoprune.jobs.learning import FinalistLearner
from autoprune.trials.engine import connect
from autoprune.trials.records import FinalistRecord
from autoprune.trials.table_store import TableStore
from latency_tables.calibration import Calibration, fit
from latency_tables.network_sums import NetworkSums

TABLE = "a" * 64


@dataclass(frozen=True)
class Sums:
    """A cost model whose sum is the first width in milliseconds."""

    def network_sums(self, widths: Sequence[tuple[int, ...]]) -> NetworkSums:
        return NetworkSums.of(np.array(widths, dtype=float)[:, 0] * 1e-3)


@pytest.fixture
def tables(tmp_path: Path) -> TableStore:
    store = TableStore(connect(str(tmp_path / "tables.db")))
    store.seal(TABLE, "context", {"entries": []})
    return store


def calibration(count: int = 12, noise: float = 0.03) -> Calibration:
    sums = np.linspace(100, 20, count) * 1e-3
    wobble = 1 + noise * np.random.default_rng(0).standard_normal(count)
    return fit(TABLE, "net", sums, 0.8 * sums * wobble, 0.01)


def measured(truth: float, widths: Sequence[int] = range(50, 57)) -> list[FinalistRecord]:
    """Finalists that measure ``truth`` times their sum."""
    return [
        FinalistRecord(
            slot, "race", 0, (width,), {}, "key", None, {"latency_s": truth * width * 1e-3}
        )
        for slot, width in enumerate(widths)
    ]


def test_what_was_measured_is_offered_where_it_predicts_better(tables: TableStore) -> None:
    old = calibration()
    learner = FinalistLearner(Sums(), old, tables)  # type: ignore[arg-type]
    said = learner.learn(measured(0.84), silent)
    assert said is not None
    assert said["error_after"] < said["error_before"]
    (stored,) = tables.calibrations(TABLE, "net")
    assert stored.hash == said["calibration"]
    new = Calibration.from_json(stored.document)
    assert new.pairs[: len(old.pairs)] == old.pairs
    assert new.pairs[0] == old.pairs[0]
    assert [list(pair) for pair in new.pairs[len(old.pairs) :]] == said["pairs"]
    assert said["networks"] == 7


def test_what_predicts_no_better_is_told_but_not_offered(tables: TableStore) -> None:
    """The old law is exact here; the finalists' own noise can only disturb it."""
    exact = calibration(noise=0.0)
    finalists = measured(0.8)
    said = FinalistLearner(Sums(), exact, tables).learn(finalists, silent)  # type: ignore[arg-type]
    assert said is not None
    assert said["calibration"] is None
    assert tables.calibrations(TABLE) == []


def test_networks_that_the_calibration_holds_teach_nothing(tables: TableStore) -> None:
    old = calibration(9)  # sums of 100, 90, 80... ms
    learner = FinalistLearner(Sums(), old, tables)  # type: ignore[arg-type]
    known = [round(total * 1e3) for total, _ in old.pairs]
    assert learner.learn(measured(0.84, known), silent) is None
    said = learner.learn(measured(0.84, [*known, 55, 55]), silent)
    assert said is not None
    assert said["networks"] == 1


def test_a_calibration_stops_growing(tables: TableStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MOST_NETWORKS", 18)
    learner = FinalistLearner(Sums(), calibration(), tables)  # type: ignore[arg-type]
    assert learner.learn(measured(0.84, range(50, 57)), silent) is None
    assert learner.learn(measured(0.84, range(50, 56)), silent) is not None
