"""How tickets that were drawn on one task do on another: the question of the tickets of pretrained BERT."""

from collections.abc import Sequence
from pathlib import Path

from robust_tickets.data.settings import DataSettings
from robust_tickets.findings.across_tasks import AcrossTasks, Own
from robust_tickets.foundation.grouping import grouped
from robust_tickets.pipeline.gain import gain
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.recipe import Recipe


def across_tasks(grid: Grid, cells: Sequence[Cell]) -> list[AcrossTasks]:
    """Compare every ticket on a target with the ticket drawn on that target, at the same source and sparsity.

    Returns:
        One comparison for each transfer, source and sparsity that has one; none for a recipe of a single target.
    """
    targets = grid.recipe.data_sets()
    if len(targets) < 2:
        return []
    drawn = [cell for cell in cells if cell.place.is_drawn]
    facets = grouped(drawn, lambda cell: (cell.place.transfer, cell.place.series, cell.place.sparsity))
    found: list[AcrossTasks] = []
    for (transfer, series, sparsity), group in facets.items():
        own = {target: way for target, data in targets.items() if (way := own_way(grid.recipe, series, data))}
        at = {(cell.place.way, cell.place.target): cell for cell in group}
        bases = {target: at[way, target] for target, way in own.items() if (way, target) in at}
        gains = {
            (way, target): gain(cell, bases[target])
            for (way, target), cell in at.items()
            if target in bases and way != own[target]
        }
        if gains and sparsity is not None:
            found.append(
                AcrossTasks(
                    transfer,
                    series,
                    sparsity,
                    {way: drawn_on(grid, series, way) for way, _ in at},
                    {grid.name_of(target): owned(own[target], cell) for target, cell in bases.items()},
                    {(way, grid.name_of(target)): one for (way, target), one in gains.items()},
                )
            )
    return found


def own_way(recipe: Recipe, series: str, target: DataSettings) -> str | None:
    """Return the first way of drawing that trains on a target's own data, in whatever amount; None without any."""
    ways = recipe.draws(series).items()
    return next((way for way, settings in ways if settings.data is not None and same(settings.data, target)), None)


def same(one: DataSettings, other: DataSettings) -> bool:
    """Say whether two settings read the same inputs and labels, in whatever amount."""
    return (one.name, one.text, one.label) == (other.name, other.text, other.label)


def drawn_on(grid: Grid, series: str, way: str) -> str | None:
    """Return what readers call the data that a way of drawing trains on; None without any."""
    data = grid.recipe.draws(series)[way].data
    if data is None:
        return None
    names = (grid.name_of(name) for name, target in grid.recipe.data_sets().items() if same(data, target))
    return next(names, Path(data.name).name)


def owned(way: str, cell: Cell) -> Own:
    """Return what the ticket drawn on a target reaches there."""
    decision = cell.verdict.standard
    return Own(way, decision.ticket, decision.unit, cell.verdict.score, decision.higher_is_better)
