"""Every criterion is explained, and named where one is chosen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoprune.pruning.criteria import CRITERIA


def test_the_page_has_a_section_for_each(root: Path) -> None:
    page = (root / "docs/algorithms/criteria.md").read_text(encoding="utf-8")
    assert set(CRITERIA) <= set(re.findall(r"^## (.+)$", page, re.MULTILINE))


@pytest.mark.parametrize(
    ("document", "start", "end"),
    [
        ("docs/quickstart.md", "criterion: l2 ", "ignore:"),
        ("docs/commands.md", "`--criterion`", "|\n"),
    ],
)
def test_they_are_listed_where_one_is_chosen(
    root: Path, document: str, start: str, end: str
) -> None:
    text = (root / document).read_text(encoding="utf-8")
    listed = text[text.index(start) :]
    listed = listed[: listed.index(end)]
    assert set(CRITERIA) <= set(re.findall(r"\w+", listed))
