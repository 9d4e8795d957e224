"""Which cells of a grid are not filled yet."""

from collections.abc import Sequence
from dataclasses import dataclass

from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.sections import Section, Table


@dataclass(frozen=True)
class Unfilled:
    """Cells of a grid that differ in nothing but their sparsity, some of which are missing."""

    target: str
    transfer: str
    source: str
    ticket: str
    filled: int
    planned: int
    missing: tuple[float, ...]
    """Sparsities of those that are missing, where they have one."""


def unfilled_sections(unfilled: Sequence[Unfilled], filled: int, planned: int) -> list[Section]:
    """Return what is missing, and how many of all cells are filled; nothing if all are.

    Args:
        unfilled: lines of cells in which some are missing.
        filled: cells that are filled.
        planned: cells of the grid.
    """
    if not unfilled:
        return []
    rows = tuple(
        (
            one.target,
            one.transfer,
            one.source,
            one.ticket,
            f"{one.filled} of {one.planned}",
            ", ".join(f"{sparsity_percent(sparsity)} %" for sparsity in one.missing) or "all",
        )
        for one in unfilled
    )
    columns = ("target", "transfer", "source", "ticket", "filled", "not filled")
    text = f"{filled} of {planned} cells are filled. Rerun the same command to fill the others."
    table = Table(title="Cells", columns=columns, rows=rows)
    return [Section(title="Not filled yet", text=text, tables=(table,), is_verdict=True)]
