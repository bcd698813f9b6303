"""schedule.json says what its schema promises, and refuses to say what cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from export_case import Case
from pydantic import ValidationError

from autoprune.export.files import read_schedule, schedule_text
from autoprune.export.schema import SCHEMA_FILE, schema_text


def test_the_shipped_schema_is_the_one_the_models_give() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()


def test_a_written_schedule_validates_against_the_schema(written: Path) -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads((written / "schedule.json").read_text()), schema)


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", 3), ("format", "other"), ("layers", {"conv1": {}}), ("extra", 1)],
)
def test_the_schema_refuses_what_the_models_refuse(
    written: Path, field: str, value: object
) -> None:
    content = json.loads((written / "schedule.json").read_text())
    content[field] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, json.loads(SCHEMA_FILE.read_text()))


def test_the_schedule_survives_its_file(case: Case, tmp_path: Path) -> None:
    schedule = case.schedule()
    (tmp_path / "schedule.json").write_text(schedule_text(schedule))
    assert read_schedule(tmp_path) == schedule


def test_lists_of_numbers_take_one_line(case: Case) -> None:
    text = schedule_text(case.schedule())
    assert '"input_shape": [3, 32, 32]' in text
    assert len(text.splitlines()) < 150


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"groups": {"g": {"units": 4, "width": 2, "kept": [0]}}},
            "kept lists 1 units, width says 2",
        ),
        ({"groups": {"g": {"units": 4, "width": 2, "kept": [2, 1]}}}, "ascend"),
        ({"groups": {"g": {"units": 4, "width": 1, "kept": [4]}}}, "unit 4 of a group of 4"),
        (
            {
                "layers": {
                    "c": {
                        "type": "conv",
                        "in_channels": [3, 3],
                        "out_channels": [8, 4],
                        "keep_ratio": 0.75,
                    }
                }
            },
            "keep_ratio 0.75 is not that of out_channels, 4/8",
        ),
        (
            {"latency": {"base_s": 1.0, "predicted_s": 0.5, "status": "measured"}},
            "needs measured_s",
        ),
        (
            {
                "latency": {
                    "base_s": 1.0,
                    "predicted_s": 0.5,
                    "measured_s": 0.5,
                    "measured_ratio": 0.5,
                    "status": "predicted",
                }
            },
            "excludes measured_s",
        ),
        ({"score": float("nan")}, "finite"),
    ],
)
def test_a_contradiction_is_refused(case: Case, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        case.schedule(**change)


def test_a_predicted_schedule_reports_its_prediction(case: Case) -> None:
    latency = {"base_s": 1.0, "predicted_s": 0.5, "status": "predicted"}
    assert case.schedule(latency=latency).latency.after_s == 0.5
    assert case.schedule().latency.after_s == 0.00049
