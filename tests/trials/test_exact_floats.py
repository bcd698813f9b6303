"""What goes in comes out, bit for bit: the digest of a resumed job rests on it."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.database import Database
from autoprune.trials.records import TrialResult
from autoprune.trials.store import TrialStore

AWKWARD = [
    0.0, -0.0, 1.0, 0.1 + 0.2, 1 / 3, 5e-324, -5e-324, 2.2250738585072014e-308,
    1.7976931348623157e308, 9007199254740993.0, 1e22, 123456789012345680.0,
    float("inf"), float("-inf"), float("nan"),
]  # fmt: skip


def bits(value: float | None) -> bytes:
    assert value is not None
    return struct.pack(">d", value)


@pytest.mark.parametrize("value", AWKWARD)
def test_awkward_doubles_come_back_bit_for_bit(store: TrialStore, value: float) -> None:
    store.save_evaluation("k", TrialResult(value, value, value, abs(value)))
    found = store.evaluation("k")
    assert found is not None
    for got in (found.score, found.loss, found.accuracy):
        assert bits(got) == bits(value)
    assert bits(found.seconds) == bits(abs(value))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_any_double_comes_back_from_columns_and_documents(engine: Engine, value: float) -> None:
    store = TrialStore(engine, ArtifactFolder(Path("unused")))
    key = uuid.uuid4().hex
    store.save_evaluation(key, TrialResult(value, value, None, 1.0))
    found = store.evaluation(key)
    assert found is not None
    assert bits(found.score) == bits(value)
    job = store.create_job({"x": value}, "h", {}, "env", {})
    assert bits(store.job(job).what["x"]) == bits(value)


def test_scores_are_numbers_to_sql(store: TrialStore, engine: Engine) -> None:
    for n, score in enumerate((10.0, 9.5, 1e-7, -3.0)):
        store.save_evaluation(f"k{n}", TrialResult(score, None, None, 1.0))
    with Database(engine).read() as session:
        rows = session.execute(text("SELECT score FROM evaluations ORDER BY score")).scalars()
        assert rows.all() == [-3.0, 1e-7, 9.5, 10.0]
