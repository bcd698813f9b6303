"""The page of a table's staircases: latency against width, one chart an operator or layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from autoprune.export.page_scripts import inlined_scripts, plotly_script
from autoprune.export.report import page_environment
from autoprune.export.staircase_figures import (
    Curve,
    Figure,
    Point,
    beaten_everywhere,
    staircase,
)
from autoprune.pruning.channels import Channels
from autoprune.pruning.network import Network, reachable
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.staircases import Staircase, Step
from autoprune.pruning.terms import Term
from latency_tables.families import Family, families, operator_name
from latency_tables.operators import Operator
from latency_tables.table import Table


@dataclass(frozen=True)
class Chart:
    """A chart and what is said about it."""

    id: str
    title: str
    note: str
    figure: Figure


@dataclass(frozen=True)
class PlottedNetwork:
    """A network whose layers are drawn.

    Args:
        name: for the page's title.
        network: with its whole search space.
        staircase: what of that space pays on the table.
    """

    name: str
    network: Network
    staircase: Staircase


def render_staircases(table: Table, plotted: PlottedNetwork | None = None) -> str:
    """The page as HTML; it holds its own styles, data and plotly.js, and loads nothing.

    Args:
        table: what is drawn.
        plotted: draw its layers; without one, every operator of the table.

    Raises:
        MissingOperatorError: the table does not price the network.
    """
    charts = _operator_charts(table) if plotted is None else _layer_charts(table, plotted)
    context = table.context
    page: str = (
        page_environment()
        .get_template("staircases.html.j2")
        .render(
            title="Every operator" if plotted is None else plotted.name,
            context=context,
            entries=len(table.entries),
            noisy=sum(entry.sample.noisy for entry in table.entries),
            hash=table.hash,
            charts=charts,
            groups=[] if plotted is None else _groups(plotted),
            plotly=plotly_script(),
            scripts=inlined_scripts(),
        )
    )
    return page


@dataclass(frozen=True)
class GroupRow:
    """A group's choices: those kept, left out, and those with an almost free wider neighbour."""

    name: str
    kept: tuple[int, ...]
    dropped: tuple[Step, ...]
    free: tuple[Step, ...]


def _groups(plotted: PlottedNetwork) -> list[GroupRow]:
    stairs = plotted.staircase
    return [
        GroupRow(
            group.name,
            group.choices,
            tuple(step for step in stairs.dropped if step.group == group.name),
            tuple(step for step in stairs.free if step.group == group.name),
        )
        for group in stairs.space.groups
    ]


def _operator_charts(table: Table) -> list[Chart]:
    charts = []
    for number, family in enumerate(families(table)):
        curves = _curves(family)
        title = operator_name(family.operator)
        charts.append(Chart(f"stairs-{number}", title, _note(curves), staircase(curves)))
    return charts


def _curves(family: Family) -> list[Curve]:
    rows: dict[int | None, list[Point]] = defaultdict(list)
    for entry in family.entries:
        op, sample = entry.operator, entry.sample
        inputs = None if family.equal else op.in_channels
        rows[inputs].append(Point(op.out_channels, sample.median_s, noisy=sample.noisy))
    return [Curve(inputs, tuple(points)) for inputs, points in rows.items()]


def _layer_charts(table: Table, plotted: PlottedNetwork) -> list[Chart]:
    """One chart for all layers that are the same operator at the same widths."""
    space = plotted.network.space
    layers: dict[tuple[Operator, tuple[int, ...], tuple[int, ...]], list[Term]] = defaultdict(list)
    for term in plotted.network.terms:
        ins, outs = reachable(term.inputs, space), reachable(term.outputs, space)
        layers[term.operator, () if term.equal else ins, outs].append(term)
    noisy = {entry.operator for entry in table.entries if entry.sample.noisy}
    charts = []
    for number, ((op, ins, outs), terms) in enumerate(layers.items()):
        curves = _priced(table, op, ins, outs, noisy)
        dropped = sorted(
            {width for term in terms for width in _dropped(term.outputs, space, plotted.staircase)}
        )
        note = f"{operator_name(op)}. {_note(curves)}"
        title = _names([term.layer for term in terms])
        charts.append(Chart(f"stairs-{number}", title, note, staircase(curves, dropped)))
    return charts


def _priced(
    table: Table,
    op: Operator,
    ins: Sequence[int],
    outs: Sequence[int],
    noisy: set[Operator],
) -> list[Curve]:
    """The table's prices of one operator; no ``ins`` where it has as many as outputs."""
    if ins:
        seconds, measured = table.prices(op, ins, outs)
    else:
        alone, known = table.prices_equal(op, outs)
        seconds, measured = alone[None, :], known[None, :]
    return [
        Curve(
            inputs,
            tuple(
                Point(
                    width,
                    float(seconds[row, column]),
                    bool(measured[row, column]),
                    table.normalised(op.with_channels(inputs or width, width)) in noisy,
                )
                for column, width in enumerate(outs)
            ),
        )
        for row, inputs in enumerate(ins or [None])
    ]


def _dropped(channels: Channels, space: SearchSpace, stairs: Staircase) -> list[int]:
    """Output channels at the widths left out, of a layer whose outputs are one group's."""
    if len(channels.multiples) != 1:
        return []
    ((position, multiple),) = channels.multiples
    group = space.groups[position].name
    widths = [step.width for step in stairs.dropped if step.group == group]
    return [channels.constant + multiple * width for width in widths]


def _note(curves: Sequence[Curve]) -> str:
    beaten = beaten_everywhere(curves)
    if not beaten:
        return ""
    told = ", ".join(f"{width} ({wider})" for width, wider in beaten.items())
    everywhere = " at any input width" if len(curves) > 1 else ""
    return f"No faster than a wider one{everywhere}: {told}."


def _names(layers: Sequence[str]) -> str:
    shown = ", ".join(layers[:3])
    return shown if len(layers) <= 3 else f"{shown} and {len(layers) - 3} more"
