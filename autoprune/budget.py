"""Budgets: how a user writes them and what they bound."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autoprune.errors import InputError

BoundKind = Literal["latency", "macs", "params"]

_KINDS: tuple[BoundKind, ...] = ("latency", "macs", "params")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_COUNTS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_PATTERN = re.compile(
    r"^\s*(?:(?P<kind>[a-z]+)\s*=)?\s*(?P<number>[0-9.eE+-]+)\s*(?P<unit>%|[a-zA-Z]*)\s*$"
)
_EXAMPLES = "write it as 50%, 8ms, latency=50%, macs=20M, macs=50% or params=100k"


@dataclass(frozen=True)
class Bound:
    """One upper bound.

    Args:
        kind: what is bounded.
        text: as the user wrote it.
        fraction: of the unpruned network's cost, in (0, 1), for a relative bound.
        limit: in seconds, multiply-adds or parameters, for an absolute bound.
    """

    kind: BoundKind
    text: str
    fraction: float | None = None
    limit: float | None = None

    def resolve(self, base: float) -> float:
        """The bound in absolute terms, given the unpruned network's cost ``base``."""
        limit = self.limit if self.limit is not None else (self.fraction or 0.0) * base
        if limit >= base:
            raise InputError(
                f"budget {self.text!r}: the unpruned network's {self.kind} is already within it "
                f"({describe(self.kind, base)} against {describe(self.kind, limit)}): "
                "nothing needs pruning"
            )
        return limit


def describe(kind: BoundKind, value: float) -> str:
    """A cost for people: milliseconds, millions of multiply-adds, thousands of parameters."""
    if kind == "latency":
        return f"{value * 1e3:.3f} ms"
    if kind == "macs":
        return f"{value / 1e6:.2f}M MACs"
    return f"{value / 1e3:.1f}k parameters"


def parse_bound(text: str) -> Bound:
    """Read one bound, as in ``50%``, ``8ms``, ``macs=20M``; raises InputError."""
    match = _PATTERN.match(text)
    if match is None:
        raise InputError(f"cannot read the budget {text!r}: {_EXAMPLES}")
    kind = match["kind"] or "latency"
    if kind not in _KINDS:
        raise InputError(
            f"budget {text!r} bounds {kind!r}; what can be bounded: {', '.join(_KINDS)}"
        )
    try:
        number = float(match["number"])
    except ValueError:
        raise InputError(f"cannot read the number in budget {text!r}: {_EXAMPLES}") from None
    if not 0 < number < float("inf"):
        raise InputError(f"budget {text!r} must be greater than 0 and finite: {_EXAMPLES}")
    return _bound(kind, text, number, match["unit"])


def _bound(kind: BoundKind, text: str, number: float, unit: str) -> Bound:
    if unit == "%":
        if number >= 100:
            raise InputError(
                f"budget {text!r} is at or over 100% of the unpruned network: nothing needs pruning"
            )
        return Bound(kind, text, fraction=number / 100)
    scales = _SECONDS if kind == "latency" else _COUNTS
    if unit.lower() not in scales:
        known = ", ".join(key or "none" for key in scales)
        raise InputError(f"budget {text!r}: unit {unit or 'none'!r} is not one of %, {known}")
    return Bound(kind, text, limit=number * scales[unit.lower()])


def parse_budget(texts: Sequence[str]) -> tuple[Bound, ...]:
    """Read several bounds; each kind at most once."""
    bounds = tuple(parse_bound(text) for text in texts)
    kinds = [bound.kind for bound in bounds]
    if not bounds:
        raise InputError(f"a search needs a budget: {_EXAMPLES}")
    if len(set(kinds)) != len(kinds):
        raise InputError(f"the budget bounds one thing twice: {', '.join(texts)}")
    return bounds
