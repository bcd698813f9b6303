"""docker-compose.yml as Docker Compose reads it: anchors merged, variables at their defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def read_compose(path: Path) -> dict[str, Any]:
    """The file with every ``${NAME:-default}`` replaced by its default.

    Raises:
        ValueError: a variable has no default, so a plain ``docker compose up`` would warn.
    """
    document: dict[str, Any] = _resolved(yaml.safe_load(path.read_text(encoding="utf-8")))
    return document


def _resolved(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    return _VARIABLE.sub(_default, value) if isinstance(value, str) else value


def _default(match: re.Match[str]) -> str:
    if match[2] is None:
        raise ValueError(f"{match[0]} has no default")
    return match[2]


def command_of(service: dict[str, Any], image_entrypoint: list[str]) -> list[str]:
    """What the service's container runs."""
    return [*service.get("entrypoint", image_entrypoint), *service["command"]]
