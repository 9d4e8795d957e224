"""Each source's result on the test images before any training: the baseline if its head is kept."""

from collections.abc import Sequence
from statistics import fmean

from robust_tickets.findings.baselines import Baseline
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.verbs.evaluate import evaluate


def as_it_came(grid: Grid, cells: Sequence[Cell]) -> list[Baseline]:
    """Return every source and target to which a transfer keeps the head, but for sources without one that answers."""
    found: list[Baseline] = []
    seen = set()
    for cell in cells:
        place, settings = cell.place, cell.result.settings
        key = (place.series, place.target)
        if settings.head != "keep" or not place.is_dense or key in seen:
            continue
        seen.add(key)
        source, data = grid.source(place.series), cell.result.runs[0].data
        if source.network.headless or not cell.result.runs[0].task.does_it(source.network):
            continue
        folder = grid.folder / "as_it_came" / place.series / place.target
        evaluated = evaluate(source, data, folder=folder)
        came, unit = evaluated.runs[0], evaluated.unit
        dense = fmean(run.standard for run in cell.verdict.ticket_runs)
        target = grid.name_of(place.target)
        figures = (came.standard, came.interval, dense)
        found.append(Baseline(place.series, target, *figures, place.transfer, unit, data.noun))
    return found
