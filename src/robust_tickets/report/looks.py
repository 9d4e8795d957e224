"""Which source has which colour, which way of drawing which stroke, and the style all figures share."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import matplotlib.style

from robust_tickets.report.notation import shortened
from robust_tickets.report.points import CONTROL_NAMES, Panel
from robust_tickets.report.summary import ResultRow

INK = "#1b1f24"
CONTROL = "#8a8f98"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours of sources, distinguishable under the common forms of colour blindness (Okabe and Ito)."""

MARKERS = ("o", "s", "^", "D", "v", "P")
STROKES = ("-", (0, (6, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)))
CONTROL_STROKES = {
    "random": (0, (1, 1.2)),
    "shuffled": (0, (4, 1.5)),
    "reinitialised": (0, (5, 1, 1, 1)),
    "complement": (0, (8, 2)),
    "flipped": (0, (2, 2)),
}

STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.13,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    # Names of data sets and layers are text, never formulas, whatever dollar signs they hold.
    "text.parse_math": False,
    # Text stays text in SVG, and identifiers come from content instead of chance.
    "svg.fonttype": "none",
    "svg.hashsalt": "robust-tickets",
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw and save in the project's style whatever the user's matplotlibrc says; restored afterwards."""
    with mpl.rc_context(), matplotlib.style.context(["default", STYLE]):
        yield


def variant_of(row: ResultRow) -> tuple[str, ...]:
    """Return what distinguishes one way of drawing from another: group, timeline, and its name where it needs one."""
    return row.group, row.timeline, row.drawing


@dataclass(frozen=True)
class Looks:
    """Which source has which colour, and which way of drawing which stroke, the same in every panel."""

    series: tuple[str, ...]
    variants: tuple[tuple[str, ...], ...]
    """See `variant_of`."""

    @classmethod
    def of(cls, panels: Iterable[Panel]) -> "Looks":
        """Give looks in order of first appearance."""
        rows = [point.row for panel in panels for point in panel.points]
        drawn = dict.fromkeys(variant_of(row) for row in rows if row.ticket == "drawn")
        return cls(tuple(dict.fromkeys(row.series for row in rows)), tuple(drawn))

    def colour(self, series: str) -> str:
        """Return the colour of a source."""
        return PALETTE[self.series.index(series) % len(PALETTE)]

    def name(self, row: ResultRow) -> str:
        """Return what legends call the row's source."""
        return shortened(row.series)

    def line(self, row: ResultRow) -> tuple[str, dict[str, Any]]:
        """Return the legend text and the drawing options of the line that the row belongs to."""
        if row.ticket == "drawn":
            variant = self.variants.index(variant_of(row))
            label = self.name(row)
            if len(self.variants) > 1:
                label += f", {row.drawing or f'{row.group}, {row.timeline}'}"
            stroke = {"marker": MARKERS[variant % len(MARKERS)], "ls": STROKES[variant % len(STROKES)]}
            return label, {"color": self.colour(row.series), **stroke}
        name = CONTROL_NAMES[row.ticket]
        marker = MARKERS[self.series.index(row.series) % len(MARKERS)]
        label = name if len(self.series) == 1 else f"{self.name(row)}, {name}"
        return label, {
            "color": CONTROL,
            "lw": 0.9,
            "ms": 3,
            "marker": marker,
            "ls": CONTROL_STROKES[row.ticket],
        }
