"""Names, in tables and figures, of cells that their settings alone would not distinguish."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from robust_tickets.data.settings import DataSettings
from robust_tickets.pipeline.grid import Cell
from robust_tickets.recipe import Recipe


@dataclass(frozen=True)
class Names:
    """Which of the recipe's own names the rows need: rows that differ only in the seed are averaged."""

    drawing: bool
    """Two ways of drawing remove the same group."""
    training: bool
    """Two ways of training have the same mode and the same kind of objective."""
    target: bool
    """Two targets have the same name and the same amount of training data."""

    @classmethod
    def of(cls, recipe: Recipe, cells: Sequence[Cell]) -> "Names":
        """Look at everything the recipe has, and at the targets that were met so far."""
        targets = {cell.place.target: cell for cell in cells}
        return cls(
            any(_repeat(draw.group.kind for draw in recipe.draws(source).values()) for source in recipe.sources),
            _repeat((way.mode, way.training.objective.kind) for way in recipe.transfers.values()),
            _repeat((cell.result.runs[0].data.name, amount(cell.data)) for cell in targets.values()),
        )

    def fields(self, cell: Cell) -> dict[str, Any]:
        """Return what rows and verdicts of a cell say of drawing, training and target; empty: nothing."""
        place = cell.place
        return {
            "drawing": place.drawing or "" if self.drawing else "",
            "training": place.transfer if self.training else "",
            "target": place.target if self.target else cell.result.runs[0].data.name,
        }


def amount(data: DataSettings) -> str:
    """Return how much of the training data was used, for tables."""
    return f"{data.per_class} per class" if data.per_class is not None else f"{100 * data.fraction:g} %"


def _repeat(values: Iterable[object]) -> bool:
    """Say whether two of the values are equal."""
    listed = list(values)
    return len(set(listed)) < len(listed)
