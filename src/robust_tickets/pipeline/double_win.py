"""Which tickets of a run are double-win, if each is transferred standardly and adversarially."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from robust_tickets.findings.double_wins import Judged
from robust_tickets.pipeline.grid import Cell
from robust_tickets.recipe import Recipe
from robust_tickets.verbs.double_win import Pair, verify_double_win


def judged(recipe: Recipe, cells: Sequence[Cell]) -> list[Judged]:
    """Return a verdict on every drawn ticket; nothing if the recipe has no pair of transfers, or no attack."""
    if recipe.verify.robustness is None:
        return []
    drawn = {cell.place: cell for cell in cells if cell.place.is_drawn}
    found: list[Judged] = []
    for first, second in pairs_of(recipe):
        for target in recipe.data_sets():
            for place, cell in drawn.items():
                other = drawn.get(replace(place, transfer=second))
                if (place.transfer, place.target) == (first, target) and other is not None:
                    verdict = verify_double_win(pair(cell), pair(other), settings=recipe.verify)
                    found.append(Judged(target, (first, second), place.series, place.way, verdict))
    return found


def pairs_of(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the names of every standard and adversarial transfer that train the same part of the network (`mode`)."""
    adversarial = [name for name, way in recipe.transfers.items() if way.training.objective.is_adversarial]
    for second in adversarial:
        for first, way in recipe.transfers.items():
            if first not in adversarial and way.mode == recipe.transfers[second].mode:
                yield first, second


def pair(cell: Cell) -> Pair:
    """Return the ticket's transfer and dense's."""
    return cell.result, cell.dense
