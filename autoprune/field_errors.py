"""What is wrong with the fields of a job file or a request: pydantic's findings in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

Path = tuple[int | str, ...]
Finding = Mapping[str, Any]
"""One of ``ValidationError.errors()``."""

_UNKNOWN = "unknown field"
_ALTERNATIVE = re.compile(r"constrained-\w+|function-.*|\w+\[.*|bool|int|float|str|\[key\]")
"""What pydantic adds to a path: which of several types a value might have had."""

_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "names with values",
    "model": "fields with values",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "string_too_short": "text",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
}
"""Type of a finding, or how it begins -> what was expected; the longest beginning counts."""


def complaints(
    findings: Iterable[Finding], fields_at: Callable[[Path], Collection[str]]
) -> dict[Path, str]:
    """What is wrong with each field, by its path; of several types it might have had, all are told.

    Args:
        fields_at: the fields there are beside the one of a path, for those that are unknown.
    """
    expected: dict[Path, list[str]] = {}
    found: dict[Path, str] = {}
    for finding in findings:
        path = _path(finding["loc"])
        if finding["type"] == "extra_forbidden":
            found[path] = _unknown(path, fields_at(path))
        elif finding["type"] == "missing":
            found[path] = "is missing"
        elif "error" in finding.get("ctx", {}):  # a check of our own says it all
            found[path] = str(finding["ctx"]["error"])
        else:
            several = expected.setdefault(path, [])
            several += [text for text in [_expected(finding)] if text not in several]
            found[path] = f"expected {' or '.join(several)}, got {_shown(finding['input'])}"
    # Where one of several types fitted so far that something inside of it is wrong, that counts.
    outer = {path[:end] for path in found for end in range(len(path))}
    return {path: says for path, says in found.items() if path not in outer}


def named(path: Path) -> str:
    """A path as people write it, as in ``fidelity.steps``."""
    return ".".join(map(str, path))


def sentence(where: str, says: str) -> str:
    """A complaint with what it is about, unless that stands in it.

    Args:
        where: empty where the whole is wrong.
    """
    return says if not where or says.startswith(_UNKNOWN) else f"{where}: {says}"


def _path(loc: Path) -> Path:
    """A finding's path without the types that pydantic tried; a field may have the name of one."""
    tail = (part for part in loc[1:] if not _ALTERNATIVE.fullmatch(str(part)))
    return (*loc[:1], *tail)


def _unknown(path: Path, fields: Collection[str]) -> str:
    close = get_close_matches(str(path[-1]), fields, n=1)
    meant = f"did you mean {close[0]!r}?" if close else f"fields are: {', '.join(fields)}"
    return f"{_UNKNOWN} {named(path)!r}; {meant}"


def _expected(finding: Finding) -> str:
    kind = finding["type"]
    known = [beginning for beginning in _KINDS if kind.startswith(beginning)]
    if not known:
        return str(finding["msg"])
    return _KINDS[max(known, key=len)].format(**finding.get("ctx", {}))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:100] + "..."
