"""The analyses of a run's tickets and transfers."""

from robust_tickets.pipeline.grid import Cell
from robust_tickets.pipeline.places import DATA, DRAW
from robust_tickets.recipe import Recipe
from robust_tickets.verbs.analyse import Analysis, analyse


def inside(recipe: Recipe, cells: list[Cell]) -> Analysis | None:
    """Return the analyses that the recipe asks for, on its own target; None if it asks for none.

    Masks are compared for drawn tickets: what a control shares with its ticket is known. Of transfers, the full ones
    are looked into if there are any: under linear ones no weight but the head's moves. First come each source's
    dense network and the ticket in the middle of its ladder, then all others.
    """
    if recipe.analyse is None:
        return None
    here = [cell for cell in cells if cell.place.target == DATA]
    full = [cell for cell in here if not cell.result.settings.is_linear] or here
    several = len({cell.place.transfer for cell in full}) > 1
    ladder = recipe.draw.sparsities
    middle = ladder[len(ladder) // 2]

    def rank(cell: Cell) -> int:
        place = cell.place
        is_middle = place.is_drawn and (place.way, place.sparsity) == (DRAW, middle)
        return 0 if place.is_dense else 1 if is_middle else 2

    return analyse(
        {
            name_of(cell, recipe): cell.result.ticket
            for cell in here
            if cell.place.is_drawn and cell.result.ticket is not None
        },
        {
            f"{name_of(cell, recipe)}{f', {cell.place.transfer}' if several else ''}": cell.result
            for cell in sorted(full, key=rank)
        },
        settings=recipe.analyse,
        partial=True,
    )


def name_of(cell: Cell, recipe: Recipe) -> str:
    """Return what a ticket is called in tables: source (if there are several), way of drawing, kind, sparsity."""
    source = f"{cell.place.series} " if len(recipe.sources) > 1 else ""
    return f"{source}{cell.place.name(cell.result.sparsity)}"
