"""docs/operators.md names every rule, and every price a rule can give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from autoprune.pruning.graph_functions import ACTIVATIONS
from autoprune.pruning.graph_reader import CREATES, RULES
from autoprune.pruning.graph_views import VIEWS
from latency_tables import runtime_names
from latency_tables.operators import OperatorKind

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


def column(number: int, heading: str) -> set[str]:
    """The names in one column of the section's table."""
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| ")][2:]
    return {name for row in rows for name in re.findall(r"`([\w-]+)`", row[number])}


def test_the_page_has_a_row_for_every_rule_and_for_nothing_else() -> None:
    named = column(1, "What is priced as what") - {"ChannelMap"}
    assert named == {*RULES, *ACTIVATIONS, *VIEWS, *CREATES}


def test_every_kind_of_operator_is_the_price_of_something() -> None:
    prices = column(2, "What is priced as what") | column(3, "What is priced as what")
    assert set(get_args(OperatorKind)) <= prices


def test_every_runtime_has_a_row() -> None:
    assert column(1, "Runtimes") == set(runtime_names())
