"""What can be refused is refused at once; nothing that can be run is."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoprune.errors import InputError
from autoprune.jobs.admission import admit
from autoprune.spec import make_spec
from searchers.registry import searcher_names


@pytest.mark.parametrize("searcher", searcher_names())
def test_every_searcher_is_admitted(tmp_path: Path, searcher: str) -> None:
    admit(make_spec({"searcher": searcher, "db": str(tmp_path / "jobs.db")}))
    assert list(tmp_path.iterdir()) == []


def test_an_option_of_a_wrong_type_is_invalid_input(tmp_path: Path) -> None:
    values = {"searcher": "legr", "searcher_options": {"tournament": "a"}}
    with pytest.raises(InputError, match="searcher_options of 'legr'"):
        admit(make_spec({**values, "db": str(tmp_path / "jobs.db")}))
