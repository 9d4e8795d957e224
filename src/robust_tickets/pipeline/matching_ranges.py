"""From which to which sparsity the tickets of a run match, and whether their controls do, too."""

from collections.abc import Sequence

from robust_tickets.findings.matching_ranges import Ladder, Rung
from robust_tickets.foundation.grouping import grouped
from robust_tickets.measures.matching import Conclusion
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.report.summary import TicketKind


def ladders(grid: Grid, cells: Sequence[Cell]) -> list[Ladder]:
    """Return the verdicts on tickets and controls by sparsity, for each target, transfer, source and way of drawing.

    Sparsities whose controls are not filled yet are left out, and so is a ladder of a single one.
    """
    judged = [cell for cell in cells if cell.place.is_drawn or cell.place.shows_triviality]
    wanted: dict[str, set[TicketKind]] = {}
    for place in grid.places:
        if place.shows_triviality:
            wanted.setdefault(place.way, set()).add(place.kind)
    found = []
    facets = grouped(judged, lambda cell: (cell.place.target, cell.place.transfer, cell.place.series, cell.place.way))
    for (target, transfer, series, way), group in facets.items():
        rungs = []
        if way not in wanted:
            continue
        for at in grouped(group, lambda cell: cell.place.sparsity).values():
            drawn = next((cell for cell in at if cell.place.is_drawn), None)
            controls: dict[TicketKind, Conclusion] = {
                cell.place.kind: cell.verdict.verdict for cell in at if cell.place.shows_triviality
            }
            if drawn is not None and controls.keys() >= wanted[way]:
                rungs.append(Rung(drawn.result.sparsity, drawn.verdict.verdict, controls))
        if len(rungs) > 1:
            found.append(((grid.name_of(target), transfer, series, way), tuple(rungs)))
    varying = [len({name[at] for name, _ in found}) > 1 for at in range(4)]
    return [
        Ladder(", ".join(part for part, varies in zip(name, varying, strict=True) if varies), rungs)
        for name, rungs in found
    ]
