"""Accuracy against sparsity, and sparsity by layer, as figures that come out the same every time."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.unit import Unit
from robust_tickets.report.axis import density_place, sparsity_axis
from robust_tickets.report.looks import PALETTE, Looks, figure_style, variant_of
from robust_tickets.report.notation import shortened, told_apart
from robust_tickets.report.points import CONTROL_NAMES, Panel, Point, Spread

ORDER = ("drawn", "dense", *CONTROL_NAMES)

SVG_METADATA = ("Date", "Creator", "Format", "Type")


def curves(panels: Sequence[Panel], looks: Looks, *, columns: int = 2) -> Figure:
    """Draw each panel on its own axes, `columns` wide, under one legend.

    Sources have colours, groups and timelines have strokes, dense is a dashed level with a band of one
    standard deviation, controls are thin and grey. Bars on points are one standard deviation over seeds.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with figure_style():
        figure = Figure(layout=ConstrainedLayoutEngine(h_pad=0.1))
        legend: dict[str, Line2D] = {}
        for index, panel in enumerate(panels):
            legend |= _draw(figure.add_subplot(rows, columns, index + 1), panel, looks)
        across = min(max(2, len(looks.series)), columns * (2 if max(map(len, legend)) <= 32 else 1))
        down = -(-len(legend) // across)
        figure.set_size_inches(4.7 * columns, 3.4 * rows + 0.2 * down)
        figure.legend(list(legend.values()), list(legend), loc="outside lower center", ncols=across)
    return figure


def layer_bars(layer_sparsity: Mapping[str, float]) -> Figure:
    """Draw the sparsity of each layer as a horizontal bar, in the order given, first layer on top."""
    names, values = list(layer_sparsity), [100 * value for value in layer_sparsity.values()]
    with figure_style():
        figure = Figure(figsize=(5.4, 0.24 * len(names) + 0.9), layout="constrained")
        axes = figure.add_subplot()
        bars = axes.barh(range(len(names)), values, height=0.7, color=PALETTE[0])
        axes.bar_label(bars, labels=[f"{value:.1f}" for value in values], padding=3, fontsize=8)
        axes.set_yticks(range(len(names)), told_apart(names), fontsize=8)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0, 109)
        axes.set_xticks(range(0, 101, 20))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_xlabel("Sparsity of the layer (%)")
    return figure


def to_png(figure: Figure) -> bytes:
    """Render at 200 dots per inch on white; equal figures give equal bytes."""
    with figure_style():
        FigureCanvasAgg(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=200, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def to_svg(figure: Figure, *, background: str = "white") -> str:
    """Render as SVG with real text and without a date; equal figures give equal text."""
    with figure_style():
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", facecolor=background, metadata=dict.fromkeys(SVG_METADATA))
    return buffer.getvalue()


def _draw(axes: Axes, panel: Panel, looks: Looks) -> dict[str, Line2D]:
    """Draw one panel; return its legend, source by source: the ticket, dense, then the controls."""
    sparsity_axis(axes, sorted({p.sparsity for p in panel.points if p.row.ticket != "dense"}))
    legend: dict[str, Line2D] = {}

    def place(point: Point) -> tuple[int, int]:
        return looks.series.index(point.row.series), ORDER.index(point.row.ticket)

    shown = sorted(panel.points, key=place)
    lines = grouped(shown, lambda p: (p.row.series, p.row.ticket, variant_of(p.row)))
    for points in lines.values():
        row = points[0].row
        spreads = [(point.sparsity, spread) for point in points if (spread := point.spread(panel.measure))]
        if row.ticket == "dense":
            label = f"{looks.name(row)}, dense"
            legend[label] = _level(axes, spreads[0][1], panel.unit, looks.colour(row.series))
        else:
            label, look = looks.line(row)
            legend[label] = _line(axes, spreads, panel.unit, **look)
    data = f"{shortened(panel.target, 24)}, {shortened(panel.fraction, 12)} of the data, {panel.seeds}"
    axes.set_title(f"{shortened(panel.title, 48)}\n{data}", loc="left")
    axes.set_ylabel(panel.unit.headed(f"{panel.measure.capitalize()} {panel.score}"))
    axes.grid(axis="y")
    return legend


def _level(axes: Axes, spread: Spread, unit: Unit, colour: str) -> Line2D:
    mean, std = unit.scaled(spread.mean), unit.scaled(spread.std or 0.0)
    axes.axhspan(mean - std, mean + std, color=colour, alpha=0.12, lw=0)
    return axes.axhline(mean, color=colour, ls=(0, (5, 3)), lw=1.2)


def _line(axes: Axes, spreads: Sequence[tuple[float, Spread]], unit: Unit, **look: Any) -> Line2D:
    ordered = sorted(spreads, key=lambda pair: pair[0])
    places = [density_place(sparsity) for sparsity, _ in ordered]
    means = [unit.scaled(spread.mean) for _, spread in ordered]
    bars = [unit.scaled(spread.std or 0.0) for _, spread in ordered]
    axes.errorbar(places, means, yerr=bars, fmt="none", ecolor=look["color"], capsize=2, elinewidth=0.9)
    return axes.plot(places, means, **look)[0]
