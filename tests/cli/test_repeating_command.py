"""The command in a bundle repeats its search; --set reaches every field of a job file."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tiny_program import run_program

from autoprune import composition
from autoprune.jobs.repeating import command_of
from autoprune.jobs.tables import PricedTable
from autoprune.spec import JobSpec, make_spec
from latency_tables.calibration import Calibration
from latency_tables.table import Table


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[JobSpec]:
    specs: list[JobSpec] = []

    def capture(spec: JobSpec, *_: Any, **_more: Any) -> None:
        specs.append(spec)
        raise KeyboardInterrupt

    monkeypatch.setattr(composition, "submit", capture)
    return specs


def test_the_command_gives_the_spec_back(tmp_path: Path, submitted: list[JobSpec]) -> None:
    spec = make_spec(
        {
            "model": "autoprune:resnet20",
            "budget": ["40%", "params=90%"],
            "searcher": "legr",
            "searcher_options": {"population": 5},
            "trials": 7,
            "ignore": ["layer1.*"],
            "metric": {"name": "my.py:f1", "direction": "maximize"},
            "fidelity": {"momentum": 0.5, "recalibration_batches": 50, "steps": 3},
            "db": str(tmp_path / "jobs.db"),
            "table": "0123456789abcdef",
            "calibration": "fedcba9876543210",
            "unmeasured": True,
        }
    )
    priced = PricedTable(
        cast(Table, SimpleNamespace(hash="0123456789abcdef0000")),
        cast(Calibration, SimpleNamespace(hash="fedcba98765432100000")),
    )
    words = shlex.split(command_of(spec, {"": priced}))
    assert words[0] == "autoprune"
    run_program(*words[1:], folder=tmp_path)
    assert submitted == [spec]


def test_set_takes_any_field_and_what_it_cannot_read_is_named(
    tmp_path: Path, submitted: list[JobSpec]
) -> None:
    run_program("search", "--set", "fidelity.momentum=0.5", "--set", "seed=3", folder=tmp_path)
    assert submitted[0].fidelity.momentum == 0.5
    assert submitted[0].seed == 3
    refused = run_program("search", "--set", "fidelity.momentum", folder=tmp_path)
    assert refused.code == 2
    assert "fidelity.momentum" in refused.err
    unknown = run_program("search", "--set", "fidelity.speed=1", folder=tmp_path)
    assert unknown.code == 2
    assert "speed" in unknown.err


def test_a_new_metric_name_brings_its_own_direction(
    tmp_path: Path, submitted: list[JobSpec]
) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("metric: {name: 'my.py:f1', direction: maximize}\n", encoding="utf-8")
    run_program("search", str(job), "--metric", "loss", folder=tmp_path)
    assert submitted[0].metric.best == "minimize"
    refused = run_program("search", "--metric", "loss", "--maximize", folder=tmp_path)
    assert refused.code == 2
    assert "minimize" in refused.err
