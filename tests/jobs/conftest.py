"""Where jobs are stored, SQLite and PostgreSQL, and what their searchers are told."""

from __future__ import annotations

import pytest

from searchers.base import Searcher
from searchers.contract import Outcome


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """None is a SQLite file in the test's folder."""
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def tells(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Trials that searchers are told, from here on."""
    told: list[int] = []
    tell = Searcher.tell

    def noting(searcher: Searcher, index: int, outcome: Outcome) -> None:
        told.append(index)
        tell(searcher, index, outcome)

    monkeypatch.setattr(Searcher, "tell", noting)
    return told
