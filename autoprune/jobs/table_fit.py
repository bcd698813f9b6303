"""Whether a table is of what a job asks for, and what to do where it is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from autoprune.errors import TableError
from autoprune.jobs.subject import Subject
from autoprune.pruning.network import Network
from autoprune.pruning.widths import BLOCK, legal_widths
from autoprune.spec import JobSpec
from latency_tables.operators import Operator
from latency_tables.runtimes import normalised
from latency_tables.table import Table

_DIVISORS = (None, *range(1, 129))
"""Those that are looked for; None stands for the default widths."""


def check_fits(spec: JobSpec, subject: Subject, table: Table) -> None:
    """Refuse a table of other conditions than the job asks for, or that lacks operators."""
    asked = {"batch": len(subject.example_input)}
    for name in ("runtime", "threads"):
        if name in spec.model_fields_set:  # else the table says
            asked[name] = getattr(spec, name)
    for name, wanted in asked.items():
        measured = getattr(table.context, name)
        if measured != wanted:
            raise TableError(
                f"table {table.hash[:12]} was measured at {name} {measured}, the job asks for "
                f"{name} {wanted}: set the job's {name}, or measure another table"
            )
    missing = missing_in(subject.network, table)
    if not missing:
        return
    for divisor in _DIVISORS:
        if divisor != spec.divisor and _fits_with(divisor, spec, subject, table):
            raise _of_another_divisor(table, divisor, spec.divisor)
    raise TableError(
        f"table {table.hash[:12]} lacks {len(missing)} operators of this network, "
        f"{missing[0]} for one: measure them with 'autoprune latency measure --model MODEL'"
    )


def missing_in(network: Network, table: Table) -> list[str]:
    """Labels of the operators of a network that a table lacks."""
    measured = {entry.operator for entry in table.entries}
    needed = {normalised(operator, table.context.runtime) for operator in network.operators()}
    return sorted(operator.label for operator in needed - measured)


def _fits_with(divisor: int | None, spec: JobSpec, subject: Subject, table: Table) -> bool:
    """Whether the table holds all that the job would ask for with another divisor."""
    choices = {
        group.name: legal_widths(group.units, divisor, spec.min_keep)
        for group in subject.space.groups
        # Heads are not rounded, and a rule may say what it likes.
        if group.choices == legal_widths(group.units, spec.divisor, spec.min_keep)
    }
    asked = {width for widths in choices.values() for width in widths}
    if not choices or not asked <= _widths_of(entry.operator for entry in table.entries):
        return False  # most divisors end here, at no cost
    groups = tuple(
        replace(group, choices=choices.get(group.name, group.choices))
        for group in subject.space.groups
    )
    space = replace(subject.space, groups=groups)
    return not missing_in(replace(subject.network, space=space), table)


def _widths_of(operators: Iterable[Operator]) -> set[int]:
    return {width for each in operators for width in (each.in_channels, each.out_channels)}


def _of_another_divisor(table: Table, its: int | None, asked: int | None) -> TableError:
    option = "leave the divisor out" if its is None else f"give --divisor {its}"
    measure = f"--divisor {asked}" if asked is not None else "without --divisor"
    return TableError(
        f"table {table.hash[:12]} was measured for {_said(its)}, the job asks for {_said(asked)}: "
        f"{option}, or measure a table with 'autoprune latency measure --model MODEL' ({measure})"
    )


def _said(divisor: int | None) -> str:
    if divisor is None:
        return f"multiples of {BLOCK} and all widths below {BLOCK} (no divisor)"
    return f"multiples of {divisor} (divisor {divisor})"
