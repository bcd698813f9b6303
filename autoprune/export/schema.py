"""The JSON Schema of ``schedule.json``, shipped beside this file and generated from the models.

Run ``python -m autoprune.export.schema`` after a change of the models.
"""

from __future__ import annotations

import json
from pathlib import Path

from autoprune.export.schedule import Schedule

SCHEMA_FILE = Path(__file__).with_name("schedule.schema.json")


def schema_text() -> str:
    """The schema as the file holds it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Schedule.model_json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
