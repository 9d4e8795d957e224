"""Results before any training, if the head is kept: of each source, and of tickets whose draw trained."""

from collections.abc import Sequence
from statistics import fmean

from robust_tickets.findings.baselines import Baseline
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.verbs.draw import label
from robust_tickets.verbs.evaluate import evaluate


def as_it_came(grid: Grid, cells: Sequence[Cell]) -> list[Baseline]:
    """Return every source and target to which a transfer keeps the head, but for sources without one that answers.

    After its source comes every ticket that carries weights, which its draw has trained.
    """
    found: list[Baseline] = []
    seen = set()
    for cell in sorted(cells, key=lambda cell: not cell.place.is_dense):
        place, settings, ticket = cell.place, cell.result.settings, cell.result.ticket
        if settings.head != "keep" or not (place.is_dense or place.is_drawn):
            continue
        key = (place.series, place.target, place.way, place.sparsity)
        if key in seen or (ticket is not None and ticket.stored is None):
            continue
        seen.add(key)
        source, run = grid.source(place.series), cell.result.runs[0]
        if source.network.headless or not run.task.does_it(source.network):
            continue
        folder = grid.folder / "as_it_came" / place.series / place.target
        if ticket is not None:
            folder = folder / place.way / label(place.sparsity)
        evaluated = evaluate(ticket or source, run.data, folder=folder)
        came, unit = evaluated.runs[0], evaluated.unit
        name = place.series if ticket is None else f"{place.series}, {place.name(ticket.sparsity)}"
        dense = cell.verdict.ticket_runs if place.is_dense else cell.verdict.dense_runs
        figures = (came.standard, came.interval, fmean(one.standard for one in dense))
        found.append(Baseline(name, grid.name_of(place.target), *figures, place.transfer, unit, run.data.noun))
    return found
