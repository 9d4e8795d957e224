"""Findings about transferred networks, as sections of a report: the loss around them and between them."""

import math
from collections.abc import Mapping, Sequence

from robust_tickets.analysis.apart import Apart
from robust_tickets.analysis.landscape import Landscape
from robust_tickets.findings.tickets import COLUMNS
from robust_tickets.report.sections import Chart, Line, Map, Section, Table

LEAST = 1e-6
"""What a map shows of losses below it: a logarithm has no zero."""

OWN_HEADS = (
    "Where transfers begin with fresh heads, one for each seed, the two do not share their start: their barrier is no "
    "instability to training noise."
)


def landscape_section(landscapes: Mapping[str, Landscape], images: str) -> Section:
    """Return the loss around networks."""
    loss = {name: losses(found) for name, found in landscapes.items()}
    middle = {name: len(found.places) // 2 for name, found in landscapes.items()}
    return Section(
        title="Loss landscapes",
        text=f"Cross-entropy on {images}, along two random directions whose filters have the norms of the network's "
        "filters (Li et al., 2018): a step of 1 moves every filter by its norm. Only surviving weights move; the "
        "network keeps its own batch-norm statistics.",
        tables=(
            Table(
                title="The loss around the networks, nats",
                columns=("network", "its own loss", "lowest on the grid", "mean at the edge", "highest at the edge"),
                rows=tuple(
                    (
                        name,
                        rows[middle[name]][middle[name]],
                        min(map(min, rows)),
                        math.fsum(rim(rows)) / len(rim(rows)),
                        max(rim(rows)),
                    )
                    for name, rows in loss.items()
                ),
            ),
        ),
        charts=(
            Chart(
                title="Along the first direction",
                x_label="step, in filter norms",
                y_label="cross-entropy, nats",
                lines=tuple(
                    Line(name=name, x=landscapes[name].places, y=rows[middle[name]])
                    for name, rows in list(loss.items())[:COLUMNS]
                ),
            ),
        ),
        maps=tuple(
            Map(
                title=f"Loss around {name}",
                x=landscapes[name].places,
                y=landscapes[name].places,
                # In decades: the corners would hide the basin.
                values=tuple(tuple(math.log10(max(value, LEAST)) for value in row) for row in rows),
                x_label="first direction, filter norms",
                y_label="second direction, filter norms",
                value_label="log10 of cross-entropy in nats",
                marks=((0.0, 0.0, "network"),),
            )
            for name, rows in loss.items()
        ),
    )


def losses(found: Landscape) -> tuple[tuple[float, ...], ...]:
    """Return the losses of a landscape, row by row."""
    return tuple(tuple(place.loss for place in row) for row in found.reached)


def rim(rows: Sequence[Sequence[float]]) -> list[float]:
    """Return the values on the border of a grid."""
    return [*rows[0], *rows[-1], *(value for row in rows[1:-1] for value in (row[0], row[-1]))]


def interpolation_section(pairs: Mapping[str, Apart], images: str, bn: str) -> Section:
    """Return angles, distances and barriers between transfers of one ticket."""
    shown = list(pairs.items())[:COLUMNS]
    statistics = {
        "interpolated": "are interpolated as well",
        "recalibrated": "are recomputed at every point, the ends included",
    }[bn]
    return Section(
        title="Between two transfers of one ticket",
        text="Angle and distance are over surviving prunable weights; the second angle is between the changes that "
        "training made to the weights that both started from. The barrier is the highest error on the straight line "
        "minus the mean of its ends (Frankle et al., 2020): near 0, the two lie in one linearly connected minimum. On "
        f"{images}; batch-norm statistics {statistics}."
        + (f" {OWN_HEADS}" if not all(one.shares_start for one in pairs.values()) else ""),
        tables=(
            Table(
                title="Angle, distance and barrier",
                columns=(
                    "transfers",
                    "angle, degrees",
                    "angle of displacements, degrees",
                    "L2 distance",
                    "errors at the ends, %",
                    "barrier, points",
                    "loss barrier, nats",
                ),
                rows=tuple(
                    (
                        name,
                        apart.angle,
                        apart.displacements,
                        apart.distance,
                        " and ".join(f"{100 * apart.path.reached[end].error:.1f}" for end in (0, -1)),
                        100 * apart.path.barrier,
                        apart.path.loss_barrier,
                    )
                    for name, apart in pairs.items()
                ),
            ),
        ),
        charts=(
            Chart(
                title="Error on the line",
                x_label="share of the second network",
                y_label="error, %",
                lines=tuple(
                    Line(name=name, x=one.path.places, y=tuple(100 * place.error for place in one.path.reached))
                    for name, one in shown
                ),
            ),
            Chart(
                title="Loss on the line",
                x_label="share of the second network",
                y_label="cross-entropy, nats",
                lines=tuple(
                    Line(name=name, x=one.path.places, y=tuple(place.loss for place in one.path.reached))
                    for name, one in shown
                ),
            ),
        ),
    )
