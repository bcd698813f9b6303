from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import latency_tables
from latency_tables import DeviceFingerprint, this_device


def test_the_example_of_the_package_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(latency_tables)
    assert found.attempted >= 9
    assert found.failed == 0


def test_the_package_loads_nothing_of_the_service_nor_a_runtime() -> None:
    script = (
        "import sys, latency_tables; "
        "print(*sorted({name.split('.')[0] for name in sys.modules} "
        "& {'autoprune', 'searchers', 'onnx', 'onnxruntime'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_a_fingerprint_tells_machines_apart_and_holds_no_host_name() -> None:
    here = this_device()
    assert here == this_device()
    assert set(here.to_json()) == {
        "processor",
        "architecture",
        "cores",
        "instruction_set",
        "system",
    }
    other = DeviceFingerprint.from_json({**here.to_json(), "cores": here.cores + 1})
    assert other.digest != here.digest
    assert len(here.digest) == 12
