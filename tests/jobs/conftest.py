"""Tests that take ``url`` run on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """None is a SQLite file in the test's folder."""
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
