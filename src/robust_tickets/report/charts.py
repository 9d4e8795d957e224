"""Figures of sections: lines over an axis, a value over two, lanes of time, pictures."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator

from robust_tickets.report.galleries import gallery_figure, gallery_in_words
from robust_tickets.report.lanes import lanes_figure, lanes_in_words
from robust_tickets.report.looks import INK, MARKERS, PALETTE, STROKES, figure_style
from robust_tickets.report.notation import shortened
from robust_tickets.report.sections import Chart, Drawn, Gallery, Lanes, Map, Section

COLOURS = "cividis"
"""Reads the same in grey and under the common colour blindnesses."""

ON_BRIGHT = "#101010"
"""Not the ink, which turns with the page: the cell below it does not."""

WRITTEN = 8
"""With up to this many cells per side, the values are written into the cells."""

LEVELS = 18
"""Contours of a map over numbers."""


def chart_figure(chart: Chart) -> Figure:
    """Draw the lines; bars on points are one standard deviation over seeds."""
    with figure_style():
        figure = Figure(figsize=(5.6, 3.5 + 0.2 * (len(chart.lines) // 3)), layout="constrained")
        axes = figure.add_subplot()
        for index, line in enumerate(chart.lines):
            turn = index // len(PALETTE)
            axes.errorbar(
                line.x,
                line.y,
                yerr=line.std,
                label=shortened(line.name),
                color=PALETTE[index % len(PALETTE)],
                marker=MARKERS[index % len(MARKERS)] if len(line.x) <= 30 else "",
                ls=STROKES[turn % len(STROKES)],
                elinewidth=0.9,
                capsize=2,
            )
        axes.set_title(shortened(chart.title, 64), loc="left")
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel(chart.y_label)
        axes.grid(axis="y")
        if len(chart.lines) > 1:
            longest = max(len(shortened(line.name)) for line in chart.lines)
            figure.legend(loc="outside lower center", ncols=max(1, min(3, 66 // (longest + 6))))
    return figure


def map_figure(shown: Map) -> Figure:
    """Draw a matrix of named cells as squares, and values over two numbers as contours."""
    values = np.asarray(shown.values)
    named = any(isinstance(place, str) for place in (*shown.x, *shown.y))
    with figure_style():
        height = 1.6 + 0.42 * len(shown.y) if named else 4.2
        figure = Figure(figsize=(5.6, min(height, 9)), layout="constrained")
        axes = figure.add_subplot()
        if named:
            drawn = axes.pcolormesh(values, cmap=COLOURS)
            axes.invert_yaxis()
            _names(axes, shown)
            if max(values.shape) <= WRITTEN:
                _write(axes, values)
        else:
            x, y = (np.asarray(places, dtype=float) for places in (shown.x, shown.y))
            drawn = axes.contourf(x, y, values, levels=LEVELS, cmap=COLOURS)
            axes.contour(x, y, values, levels=LEVELS, colors=INK, linewidths=0.3)
            for across, up, name in shown.marks:
                axes.plot(across, up, marker="x", color="white", ms=7, mew=2)
                axes.annotate(name, (across, up), xytext=(5, 5), textcoords="offset points", color="white")
        axes.set_title(shortened(shown.title, 64), loc="left")
        axes.set_xlabel(shown.x_label)
        axes.set_ylabel(shown.y_label)
        figure.colorbar(drawn, ax=axes, label=shown.value_label)
    return figure


def _names(axes: Axes, shown: Map) -> None:
    """Put the names of rows and columns at their places."""
    for axis, places in ((axes.xaxis, shown.x), (axes.yaxis, shown.y)):
        axis.set_major_locator(FixedLocator([place + 0.5 for place in range(len(places))]))
        axis.set_major_formatter(FixedFormatter([shortened(str(place), 24) for place in places]))
    axes.tick_params(axis="x", rotation=30 if max(len(str(place)) for place in shown.x) > 6 else 0)


def _write(axes: Axes, values: np.ndarray) -> None:
    """Write each value into its cell, in a colour that shows on the cell's own."""
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{value:.2f}",
            ha="center",
            va="center",
            fontsize=8,
            color=ON_BRIGHT if value > middle else "white",
        )


def figures_of(section: Section) -> list[tuple[str, str, Figure]]:
    """Return what every figure of a section says in words, the note below it, and the figure."""
    return [(*_in_words(shown), _figure(shown)) for shown in section.figures]


def _figure(shown: Drawn) -> Figure:
    draw, _ = KINDS[type(shown)]
    return draw(shown)


def _in_words(shown: Drawn) -> tuple[str, str]:
    """Say what is shown, for readers who cannot see it, and the note below it."""
    _, told = KINDS[type(shown)]
    return told(shown), shown.note


def _map_in_words(shown: Map) -> str:
    """Say what a map shows, for readers who cannot see it."""
    return f"{shown.title}: {shown.value_label}."


def _lines_in_words(chart: Chart) -> str:
    """Say what a chart shows, for readers who cannot see it."""
    ends = (
        f"{line.name}: {line.y[0]:.3g} at {line.x[0]:.3g}, {line.y[-1]:.3g} at {line.x[-1]:.3g}."
        for line in chart.lines
    )
    return " ".join((f"{chart.title}, {chart.y_label} against {chart.x_label}.", *ends))


KINDS: dict[type[Drawn], tuple[Callable[[Any], Figure], Callable[[Any], str]]] = {
    Chart: (chart_figure, _lines_in_words),
    Map: (map_figure, _map_in_words),
    Lanes: (lanes_figure, lanes_in_words),
    Gallery: (gallery_figure, gallery_in_words),
}
"""How each kind of figure is drawn, and told to readers who cannot see it."""
