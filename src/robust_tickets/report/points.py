"""Mean and spread over seeds, and the panels that points fall into."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.unit import Unit
from robust_tickets.report.summary import ResultRow, TicketKind

Condition = Literal["standard", "robust"]
"""On clean images, or under attack."""

SAME_SPARSITY_DIGITS = 3
"""Measured sparsities equal to this many decimals are one point: soft thresholds differ a little by seed."""

CONTROL_NAMES: dict[TicketKind, str] = {
    "random": "random mask",
    "shuffled": "shuffled mask",
    "reinitialised": "re-initialised weights",
    "complement": "complementary mask",
    "flipped": "bit-flipped mask",
}
"""What the controls are called in legends and tables."""


@dataclass(frozen=True)
class Spread:
    """Mean of a figure over seeds, in its own unit, and its sample standard deviation, None for one seed."""

    mean: float
    std: float | None
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise at least one value; the deviation divides by n - 1."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


@dataclass(frozen=True)
class Point:
    """One setting, averaged over its seeds. `robust` is None if no seed was attacked."""

    row: ResultRow
    sparsity: float
    standard: Spread
    robust: Spread | None

    def spread(self, measure: Condition) -> Spread | None:
        """Return the spread of the measure, or None if it was not taken."""
        return self.standard if measure == "standard" else self.robust


@dataclass(frozen=True)
class Panel:
    """The points that share one pair of axes: one target, fraction, objective, way of training, transfer, measure."""

    target: str
    fraction: str
    objective: str
    training: str
    transfer: str
    measure: Condition
    points: tuple[Point, ...]

    @property
    def score(self) -> str:
        """Say what the figures are: the metric's name."""
        return self.points[0].row.score

    @property
    def unit(self) -> Unit:
        """Return how they are written."""
        return self.points[0].row.unit

    @property
    def title(self) -> str:
        """Say what the panel shows, in the field's terms."""
        name = f" ({self.training})" if self.training else ""
        return f"{self.transfer.capitalize()} transfer, {self.objective} training{name}"

    @property
    def seeds(self) -> str:
        """Say how many seeds a point has: `3 seeds`, or a range."""
        counts = sorted({spread.seeds for point in self.points if (spread := point.spread(self.measure))})
        span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        return f"{span} seed{'s' if counts[-1] > 1 else ''}"


def points(rows: Iterable[ResultRow]) -> list[Point]:
    """Average the rows that differ only in seed; settings keep the order of their first row."""

    def setting(row: ResultRow) -> tuple[object, ...]:
        data = (row.target, row.fraction, row.transfer, row.objective, row.training)
        return (
            *data,
            row.series,
            row.ticket,
            row.group,
            row.timeline,
            row.drawing,
            round(row.sparsity, SAME_SPARSITY_DIGITS),
        )

    averaged: list[Point] = []
    for same in grouped(rows, setting).values():
        robust = [row.robust_accuracy for row in same if row.robust_accuracy is not None]
        averaged.append(
            Point(
                row=same[0],
                sparsity=fmean(row.sparsity for row in same),
                standard=Spread.of([row.standard_accuracy for row in same]),
                robust=Spread.of(robust) if robust else None,
            )
        )
    return averaged


def panels(rows: Iterable[ResultRow]) -> list[Panel]:
    """Return the panels of the figure: for each target, clean accuracy by transfer, then under attack."""
    everything = points(rows)
    facets = grouped(
        everything, lambda p: (p.row.target, p.row.fraction, p.row.objective, p.row.training, p.row.transfer)
    )
    found: list[Panel] = []
    for target in grouped(facets, lambda facet: facet[:2]).values():
        for measure in ("standard", "robust"):
            for facet in target:
                measured = tuple(point for point in facets[facet] if point.spread(measure))
                if measured:
                    found.append(Panel(*facet, measure, measured))
    return found
