"""How far successive draws of one training were apart."""

from collections.abc import Sequence
from dataclasses import dataclass

from robust_tickets.report.sections import Chart, Line, Section, Table, first_lines

TEXT = (
    "While these draws trained, masks were drawn again and again without removing anything. Their distance is the "
    "share of prunable weights that one mask keeps and the one before does not. Once it is small, training longer "
    "would hardly change the ticket."
)


@dataclass(frozen=True)
class DrawDistances:
    """What one draw compared."""

    draw: str
    steps: tuple[int, ...]
    """Training steps before which masks were drawn, but for the first."""
    distances: tuple[float, ...]
    """Of each to the masks before, fraction of prunable weights, in [0, 1]."""


def early_draw_sections(found: Sequence[DrawDistances]) -> list[Section]:
    """Return the distances over steps; nothing without any."""
    if not found:
        return []
    columns = ("draw", "drawn at step", "first distance (%)", "last (%)")
    rows = tuple((one.draw, one.steps[-1], 100 * one.distances[0], 100 * one.distances[-1]) for one in found)
    lines, note = first_lines(
        [Line(name=one.draw, x=one.steps, y=tuple(100 * value for value in one.distances)) for one in found], "draws"
    )
    chart = Chart(
        title="Mask distance",
        x_label="Training step",
        y_label="Distance to the draw before (%)",
        lines=lines,
        note=note,
    )
    table = Table(title="Draws that compared masks", columns=columns, rows=rows)
    return [Section(title="Early draws", text=TEXT, tables=(table,), charts=(chart,))]
