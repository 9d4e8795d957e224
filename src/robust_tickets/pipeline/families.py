"""Ways of drawing compared over all targets of a run: the question of studies such as Iofinova et al. (2022)."""

from collections.abc import Sequence
from pathlib import Path

from robust_tickets.findings.families import Increase, WayOfDrawing
from robust_tickets.foundation.files import read_json
from robust_tickets.foundation.grouping import grouped
from robust_tickets.measures.figure import ACCURACY
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.pipeline.places import DRAW
from robust_tickets.shrinking.counts import MultiplyAdds, counted_multiply_adds
from robust_tickets.ticket.cost import Cost
from robust_tickets.verbs.draw import SAME_SPARSITY


def families(grid: Grid, cells: Sequence[Cell]) -> list[WayOfDrawing]:
    """Return each way of drawing, at each sparsity, source and transfer, with what it reaches on all targets.

    Only targets that are judged by accuracy have errors; the others are left out. Nothing if there is one way.
    """
    if not grid.recipe.variants:
        return []
    drawn = [cell for cell in cells if cell.place.is_drawn and cell.verdict.score == ACCURACY.name]
    facets = grouped(drawn, lambda cell: (cell.place.way, cell.place.series, cell.place.transfer, cell.place.sparsity))
    counted: dict[str, MultiplyAdds] = {}
    found: list[WayOfDrawing] = []
    for (way, series, transfer, sparsity), group in facets.items():
        ticket = group[0].result.ticket
        assert ticket is not None
        if series not in counted:
            network = grid.source(series).network
            counted[series] = counted_multiply_adds(network, network.interface.example(1))
        asked = ticket.sparsity if sparsity is None else sparsity
        found.append(
            WayOfDrawing(
                way=f"{way}: {group[0].draw.timeline.kind}" if way == DRAW else way,
                source=series,
                transfer=transfer,
                sparsity=asked,
                increases={grid.name_of(cell.place.target): increase(cell) for cell in group},
                left=counted[series].left(ticket.layer_sparsity),
                multiply_adds=counted[series].total,
                cost=cost_of(grid.folder / "tickets" / series / way, sparsity),
            )
        )
    return found


def increase(cell: Cell) -> Increase:
    """Return the errors of a cell and of dense, for the seeds that both have."""
    dense = {run.seed: run.standard for run in cell.verdict.dense_runs}
    pairs = [(run.standard, dense[run.seed]) for run in cell.verdict.ticket_runs if run.seed in dense]
    return Increase(tuple(1 - ticket for ticket, _ in pairs), tuple(1 - base for _, base in pairs))


def cost_of(folder: Path, sparsity: float | None) -> Cost | None:
    """Return what the ticket of a sparsity took, of a folder of tickets drawn in one way; None if nothing says it."""
    for place in sorted(folder.rglob("ticket.json")):
        drawn = read_json(place)["recipe"]["draw"]["sparsity"]
        if sparsity is None or (drawn is not None and abs(drawn - sparsity) < SAME_SPARSITY):
            return Cost.of(place.parent)
    return None
