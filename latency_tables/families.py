"""The entries of a table by operator, whatever the widths."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from latency_tables.operators import Operator
from latency_tables.table import Entry, Table


@dataclass(frozen=True)
class Family:
    """Entries of operators that differ in their widths alone.

    Args:
        operator: the widest of them.
        entries: by input width, then output width.
    """

    operator: Operator
    entries: tuple[Entry, ...]

    @property
    def equal(self) -> bool:
        """Whether all have as many outputs as inputs."""
        return all(
            entry.operator.in_channels == entry.operator.out_channels for entry in self.entries
        )


def families(table: Table) -> tuple[Family, ...]:
    """Every family of a table, the largest operators first."""
    found: dict[Operator, list[Entry]] = defaultdict(list)
    for entry in table.entries:
        found[_at_no_width(entry.operator)].append(entry)
    built = (_family(entries) for entries in found.values())
    return tuple(sorted(built, key=lambda family: -_seconds(family)))


def operator_name(op: Operator) -> str:
    """An operator without its widths, as in ``conv3x3 at 32x32, stride 2, relu``."""
    kernel = f"{op.kernel[0]}x{op.kernel[1]}" if op.kernel != (1, 1) or op.kind == "conv" else ""
    depthwise = op.kind == "conv" and op.groups > 1 and op.groups == op.in_channels
    parts = [f"{'depthwise ' if depthwise else ''}{op.kind}{kernel} at {op.height}x{op.width}"]
    if op.stride != (1, 1):
        parts.append(f"stride {op.stride[0]}")
    if op.dilation != (1, 1):
        parts.append(f"dilation {op.dilation[0]}")
    if op.groups > 1 and not depthwise:
        parts.append(f"{op.groups} groups")
    if op.batch_norm and op.kind != "batch_norm":
        parts.append("batch norm")
    if op.activation and op.activation != op.kind:
        parts.append(op.activation)
    if op.copies > 1:
        parts.append(f"{op.copies} times")
    if op.variant is not None:
        parts.append(op.variant.replace("_", " "))
    return ", ".join(parts)


def _family(entries: list[Entry]) -> Family:
    ordered = sorted(entries, key=lambda e: (e.operator.in_channels, e.operator.out_channels))
    return Family(ordered[-1].operator, tuple(ordered))


def _seconds(family: Family) -> float:
    return max(entry.sample.median_s for entry in family.entries)


def _at_no_width(op: Operator) -> Operator:
    depthwise = op.groups > 1 and op.groups == op.in_channels == op.out_channels
    return replace(op, in_channels=0, out_channels=0, groups=0 if depthwise else op.groups)
