"""What a run ships: for each way of drawing, its best ticket as an ONNX file and, without zeros, as a runtime file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from robust_tickets.foundation.errors import UserError
from robust_tickets.pipeline.grid import Cell
from robust_tickets.pipeline.places import DATA
from robust_tickets.recipe import Recipe
from robust_tickets.shrinking.artefact import RUNTIME
from robust_tickets.shrinking.conversion import convert
from robust_tickets.shrinking.export import portable
from robust_tickets.shrinking.shrink import ShrinkReport
from robust_tickets.verbs.shrink import shrink
from robust_tickets.verbs.verify import sparsest_match

DENSE_ENOUGH = 0.7
"""From this share of nonzero parameters on, a file without zeros is hardly different."""


@dataclass(frozen=True)
class Export:
    """A file that a run wrote."""

    cell: Cell
    """The cell whose best run is in it."""
    report: ShrinkReport
    path: Path

    @property
    def is_runtime(self) -> bool:
        """Return whether it is a runtime file."""
        return self.path.suffix == RUNTIME


def shrink_best(recipe: Recipe, cells: list[Cell], folder: Path) -> list[Export]:
    """Export, for each way of drawing, the sparsest ticket that matches on the first target, or else the best one.

    Both are decided on validation; on test if the data have no validation part, which the notes then say.
    """
    return [export for way in recipe.draws() for export in shipped(recipe, best_drawn(recipe, cells, way), way, folder)]


def best_drawn(recipe: Recipe, cells: list[Cell], way: str) -> Cell:
    """Return the ticket of a way of drawing that is shipped."""
    drawn = [cell for cell in cells if is_drawn(cell, way) and cell.place.target == DATA]
    return drawn[sparsest_match([(cell.result, cell.dense) for cell in drawn], recipe.verify)]


def shipped(recipe: Recipe, best: Cell, way: str, folder: Path) -> Iterator[Export]:
    """Write an ONNX file and, if zeros remain in it and the runtime has what the network needs, a runtime file."""
    place = folder / "shrink" / way
    onnx, runtime = folder / f"{way}.onnx", folder / f"{way}{RUNTIME}"
    report = shrink(best.result, onnx, dense=best.dense, settings=recipe.shrink, folder=place)
    yield Export(best, report, onnx)
    dense_enough = report.shrunk.nonzero_parameters >= DENSE_ENOUGH * report.shrunk.parameters
    # A file that is there has been found to run: a finished run need not export its network again to know.
    if dense_enough or not (runtime.is_file() or is_runnable(best)):
        return
    assert recipe.shrink is not None
    settings = recipe.shrink.model_copy(update={"int8": None})
    yield Export(best, shrink(best.result, runtime, dense=best.dense, settings=settings, folder=place), runtime)


def is_runnable(cell: Cell) -> bool:
    """Return whether the runtime has all operations of a network."""
    try:
        convert(portable(cell.result.best.network))
    except UserError:
        return False
    return True


def is_drawn(cell: Cell, way: str) -> bool:
    """Say whether a cell is a drawn ticket's, drawn in a certain way."""
    return cell.place.way == way and cell.place.is_drawn
