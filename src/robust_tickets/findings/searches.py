"""What a search left of a network, removal after removal."""

from collections.abc import Sequence
from dataclasses import dataclass

from robust_tickets.report.sections import Chart, Line, Section, Table, first_lines

TEXT = (
    "While these draws trained, channels whose gain had come to zero left the network for good. Multiply-adds are "
    "those of the weights that may go, zeros included: single weights that the ticket removes as well come on top."
)


@dataclass(frozen=True)
class SearchCourse:
    """What one draw left each time that channels went."""

    draw: str
    steps: tuple[int, ...]
    """Training steps before which channels went."""
    channels: tuple[float, ...]
    """Share of the channels that could go, in (0, 1]."""
    multiply_adds: tuple[float, ...]
    """Share of the multiply-adds, in (0, 1]."""


def stairs(name: str, steps: Sequence[int], shares: Sequence[float], end: int | None = None) -> Line:
    """Return shares in per cent over training steps, each in force from its step on; 100 % before the first."""
    x, y = [0.0], [100.0]
    for step, share in zip(steps, shares, strict=True):
        x += [float(step)] * 2
        y += [y[-1], 100 * share]
    return Line(name=name, x=(*x, float(end or steps[-1])), y=(*y, y[-1]))


def search_sections(found: Sequence[SearchCourse]) -> list[Section]:
    """Return what was left over the training steps; nothing without any search."""
    if not found:
        return []
    columns = ("draw", "removals", "the last at step", "channels left (%)", "multiply-adds left (%)")
    rows = tuple(
        (one.draw, len(one.steps), one.steps[-1], 100 * one.channels[-1], 100 * one.multiply_adds[-1]) for one in found
    )
    lines, note = first_lines([stairs(one.draw, one.steps, one.multiply_adds) for one in found], "draws")
    chart = Chart(
        title="Multiply-adds over a search",
        x_label="Training step",
        y_label="Multiply-adds left (%)",
        lines=lines,
        note=note,
    )
    table = Table(title="Draws that removed channels", columns=columns, rows=rows)
    return [Section(title="Searches", text=TEXT, tables=(table,), charts=(chart,))]
