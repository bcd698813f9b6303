"""Budgets: how a user writes them and what they bound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from autoprune.errors import InputError

BoundKind = Literal["latency", "macs", "params"]

_KINDS: tuple[BoundKind, ...] = ("latency", "macs", "params")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_COUNTS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_PATTERN = re.compile(
    r"^\s*(?:(?P<name>[A-Za-z0-9_-]+)\s*=)?\s*(?P<number>[0-9.eE+-]+)\s*(?P<unit>%|[a-zA-Z]*)\s*$"
)
_NAMED_TABLE = re.compile(r"^(?P<name>[A-Za-z0-9_-]+)=(?P<table>.+)$")
_EXAMPLES = "write it as 50%, 8ms, latency=50%, macs=20M, macs=50% or params=100k"


@dataclass(frozen=True)
class Bound:
    """One upper bound.

    Args:
        kind: what is bounded.
        text: as the user wrote it.
        fraction: of the unpruned network's cost, in (0, 1), for a relative bound.
        limit: in seconds, multiply-adds or parameters, for an absolute bound.
        table: name of the latency table it is of, where several are named; else empty.
    """

    kind: BoundKind
    text: str
    fraction: float | None = None
    limit: float | None = None
    table: str = ""

    @property
    def key(self) -> str:
        """What is bounded, as one word: ``latency``, ``latency:NAME``, ``macs`` or ``params``."""
        return latency_key(self.table) if self.kind == "latency" else self.kind

    def resolve(self, base: float) -> float:
        """The bound in absolute terms, given the unpruned network's cost ``base``."""
        limit = self.limit if self.limit is not None else (self.fraction or 0.0) * base
        if limit >= base:
            raise InputError(
                f"budget {self.text!r}: the unpruned network's {self.kind}"
                f"{f' on {self.table}' if self.table else ''} is already within it "
                f"({describe(self.kind, base)} against {describe(self.kind, limit)}): "
                "nothing needs pruning"
            )
        return limit


def latency_key(table: str) -> str:
    """The word for the latency by one table; the only table has no name."""
    return f"latency:{table}" if table else "latency"


def describe(kind: BoundKind, value: float) -> str:
    """A cost for people: milliseconds, millions of multiply-adds, thousands of parameters."""
    if kind == "latency":
        return milliseconds(value)
    if kind == "macs":
        return f"{value / 1e6:.2f}M MACs"
    return f"{value / 1e3:.1f}k parameters"


def milliseconds(seconds: float) -> str:
    """A latency for people: milliseconds with four significant digits, as the pages round them."""
    return f"{Decimal(f'{seconds * 1e3:.4g}'):f} ms"


def parse_bound(text: str) -> Bound:
    """Read one bound, as in ``50%``, ``8ms``, ``macs=20M``; raises InputError."""
    match = _PATTERN.match(text)
    if match is None:
        raise InputError(f"cannot read the budget {text!r}: {_EXAMPLES}")
    name = match["name"] or "latency"
    kind = next((known for known in _KINDS if known == name), None)
    try:
        number = float(match["number"])
    except ValueError:
        raise InputError(f"cannot read the number in budget {text!r}: {_EXAMPLES}") from None
    if not 0 < number < float("inf"):
        raise InputError(f"budget {text!r} must be greater than 0 and finite: {_EXAMPLES}")
    table = "" if kind else name
    return _bound(kind or "latency", text, number, match["unit"], table)


def _bound(kind: BoundKind, text: str, number: float, unit: str, table: str) -> Bound:
    if unit == "%":
        if number >= 100:
            raise InputError(
                f"budget {text!r} is at or over 100% of the unpruned network: nothing needs pruning"
            )
        return Bound(kind, text, fraction=number / 100, table=table)
    scales = _SECONDS if kind == "latency" else _COUNTS
    if unit.lower() not in scales:
        known = ", ".join(["%", *(key for key in scales if key)])
        found = f"{unit!r} is none of" if unit else "it has no unit: give one of"
        raise InputError(f"budget {text!r}: {found} {known}; {_EXAMPLES}")
    return Bound(kind, text, limit=number * scales[unit.lower()], table=table)


def parse_budget(texts: Sequence[str]) -> tuple[Bound, ...]:
    """Read several bounds; each thing is bounded at most once."""
    bounds = tuple(parse_bound(text) for text in texts)
    keys = [bound.key for bound in bounds]
    if not bounds:
        raise InputError(f"a search needs a budget: {_EXAMPLES}")
    if len(set(keys)) != len(keys):
        raise InputError(f"the budget bounds one thing twice: {', '.join(texts)}")
    return bounds


def parse_tables(texts: Sequence[str]) -> str | dict[str, str]:
    """One table, or several as ``NAME=TABLE``; a file ``a=b.json`` is written ``./a=b.json``."""
    named = [_NAMED_TABLE.match(text) for text in texts]
    if len(texts) == 1 and named[0] is None:
        return texts[0]
    tables: dict[str, str] = {}
    for text, match in zip(texts, named, strict=True):
        if match is None:
            raise InputError(
                f"table {text!r} has no name: of several tables each is given as NAME=TABLE, as in "
                "cpu=cpu.json, and bounded as in --budget cpu=50%"
            )
        if match["name"] in tables:
            raise InputError(f"two tables are named {match['name']!r}: {', '.join(texts)}")
        tables[match["name"]] = match["table"]
    return tables


def check_tables(bounds: Sequence[Bound], tables: Mapping[str, str]) -> None:
    """Refuse bounds of tables that are not given, and named tables that nothing bounds.

    Args:
        bounds: of one budget.
        tables: the named tables; empty where there is one without a name, or none.
    """
    for name in tables:
        if name in _KINDS or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise InputError(
                f"a table cannot be named {name!r}: take letters, digits, - and _, and none of "
                f"{', '.join(_KINDS)}"
            )
    for bound in bounds:
        if bound.table and bound.table not in tables:
            given = f"; tables given: {', '.join(tables)}" if tables else ""
            raise InputError(
                f"budget {bound.text!r} bounds {bound.table!r}; what can be bounded: "
                f"{', '.join(_KINDS)}, or a table named with --table {bound.table}=FILE{given}"
            )
        if bound.kind == "latency" and not bound.table and tables:
            raise InputError(
                f"budget {bound.text!r} does not say which table it is of: write "
                + " or ".join(f"{name}=50%" for name in tables)
            )
    for name in tables:
        if all(bound.table != name for bound in bounds):
            raise InputError(
                f"no budget bounds table {name!r}: add --budget {name}=50%, or leave the table out"
            )
