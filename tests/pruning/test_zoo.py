"""Other people's networks from groups to ONNX: four families always, the others in the soak."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from autoprune.pruning.space import SearchSpace
from benchmarks import zoo
from benchmarks.zoo import FAMILIES, SIZES, TIMM, Row, examine, main

QUICK = tuple(
    f"torchvision:{name}"
    for name in ("shufflenet_v2_x1_0", "squeezenet1_1", "mobilenet_v3_small", "googlenet")
)
SIZE = 96


@pytest.mark.parametrize("name", QUICK)
def test_a_network_is_pruned_trained_and_exported(name: str) -> None:
    row = examine(name, SIZE)
    assert row.macs is not None, row.unpriced
    assert row.macs > 0.8
    assert 0.2 < row.latency < 1.0
    assert row.units[1] < row.units[0]
    assert [left.reason for left in row.space.left_out] == [
        "its channels are an output of the network"
    ]


def test_rows_that_a_file_keeps_are_printed_and_not_found_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {
        "network": "nowhere:net",
        "groups": 7,
        "left_out": 2,
        "seconds": 1.25,
        "macs": None,
        "latency": 0.504,
        "reasons": "one thing (1)",
    }
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(kept) + "\n")
    command = ["zoo", "--rows", str(rows), "--models", "nowhere:net"]
    monkeypatch.setattr(sys, "argv", command)
    main()
    page = capsys.readouterr().out
    assert "| nowhere:net | 7 | 2 | 1.2 | not priced | 50% |\n" in page
    assert page.endswith("- **nowhere:net**: one thing (1).\n")


def test_a_row_that_was_found_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tmp_path / "rows.jsonl"
    row = Row("nowhere:net", SearchSpace(()), 1.0, 0.5, "", (8, 4), 0.25)
    monkeypatch.setattr(zoo, "examine", lambda name: row)
    monkeypatch.setattr(sys, "argv", ["zoo", "--rows", str(rows), "--models", "nowhere:net"])
    main()
    monkeypatch.delattr(zoo, "examine")
    main()
    assert [json.loads(line)["latency"] for line in rows.read_text().splitlines()] == [0.25]


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in QUICK])
def test_every_family_is_pruned_trained_and_exported(name: str) -> None:
    row = examine(name, SIZES.get(name, 224))
    assert row.seconds < 60.0
    assert row.macs is not None, row.unpriced
    assert row.macs > 0.4


@pytest.mark.soak
@pytest.mark.parametrize("name", TIMM)
def test_timms_networks_are_pruned_trained_and_exported(name: str) -> None:
    pytest.importorskip("timm")
    row = examine(name, SIZES.get(name, 224))
    if row.macs is None:  # refused by the name of an operator, never priced wrongly
        assert "no rule prices" in row.unpriced
    else:
        assert row.macs > 0.4
