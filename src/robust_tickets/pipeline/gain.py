"""What each source's tickets gain over the first source's: the question of the robust-ticket papers."""

from collections.abc import Sequence

from robust_tickets.findings.gains import Gain, Gains
from robust_tickets.foundation.grouping import grouped
from robust_tickets.pipeline.gap import IMAGES, measured_gaps
from robust_tickets.pipeline.grid import Cell, Grid


def gains_of(grid: Grid, cells: Sequence[Cell]) -> Gains:
    """Return the gains over the recipe's first source, and, if there are any, the gaps of the targets."""
    found = {cell.place: cell for cell in cells if cell.place.is_drawn or cell.place.is_dense}
    base, *others = (name for name in grid.recipe.sources if any(place.series == name for place in found))
    gains: list[Gain] = []
    facets = grouped(found, lambda place: (place.target, place.transfer, place.way, place.sparsity))
    for places in facets.values():
        by_series = {place.series: found[place] for place in places}
        if base in by_series:
            gains += [gain(by_series[name], by_series[base]) for name in others if name in by_series]
    targets = {target: grid.name_of(target) for target in grid.recipe.data_sets()}
    gaps = measured_gaps(grid, cells) if gains else {}
    return Gains(base, tuple(others), tuple(gains), targets, gaps, IMAGES)


def gain(one: Cell, base: Cell) -> Gain:
    """Return how much better a cell is than another source's at the same place, for the seeds that both have."""
    decision, place = base.verdict.standard, one.place
    reference = {run.seed: run.standard for run in base.verdict.ticket_runs}
    sign = 1 if decision.higher_is_better else -1
    return Gain(
        target=place.target,
        transfer=place.transfer,
        drawing=place.way,
        asked=place.sparsity,
        sparsity=base.result.sparsity,
        is_drawn=place.is_drawn,
        source=place.series,
        differences=tuple(
            sign * (run.standard - reference[run.seed]) for run in one.verdict.ticket_runs if run.seed in reference
        ),
        metric=base.verdict.score,
        unit=decision.unit,
        higher_is_better=decision.higher_is_better,
    )
