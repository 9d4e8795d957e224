"""Further measures of every cell of a run, and of the files exported from it."""

from collections.abc import Sequence

from robust_tickets.findings.measures import Subject
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.pipeline.exports import Export
from robust_tickets.pipeline.grid import Cell
from robust_tickets.recipe import Recipe
from robust_tickets.report.points import CONTROL_NAMES
from robust_tickets.verbs.exported import Exported, open_exported, verify_exported


def subject(recipe: Recipe, cell: Cell) -> Subject:
    """Return a cell as a line of tables and, for dense and the tickets of the recipe's own drawing, of charts."""
    place, sparsity = cell.place, sparsity_percent(cell.result.sparsity)
    several = len(recipe.sources) > 1
    name = place.line(sparsity)
    return Subject(
        labels={
            "target": place.target,
            "transfer": place.transfer,
            "source": place.series,
            "drawing": place.drawing,
            "ticket": CONTROL_NAMES.get(place.kind, place.kind),
            "sparsity (%)": sparsity,
        },
        figures=[run.measures for run in cell.verdict.ticket_runs],
        name=f"{place.series}, {name}" if several else name,
        chart=f"{place.target}, {place.transfer} transfer" if place.is_charted else None,
        source=place.series,
    )


def measured_files(recipe: Recipe, exports: Sequence[Export]) -> list[Exported]:
    """Measure the exported files as their networks were measured; nothing if no more than accuracy was asked for.

    Square attack is run on them only if the recipe asks for it, because of its thousands of predictions per image.
    """
    asked, further = recipe.verify.robustness, recipe.verify.measures
    if asked is None and not further:
        return []
    return [verify_exported(*open_exported(export.path, export.cell.result), asked, further) for export in exports]
