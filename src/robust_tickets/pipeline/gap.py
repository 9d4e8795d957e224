"""How far each target lies from the data that the first source was pretrained on."""

from collections.abc import Sequence

from robust_tickets.foundation.steps import Step
from robust_tickets.measures.domain_gap import DomainGap
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.verbs.gap import gap

IMAGES = 2000
"""Images from each side: a gap depends on their number, so it is the same for all targets of a grid."""


def measured_gaps(grid: Grid, cells: Sequence[Cell]) -> dict[str, DomainGap]:
    """Return the gap of every target with a filled cell, measured once and kept in the run folder.

    Nothing if the recipe does not say what its first source was pretrained on; none for targets that label pixels.
    """
    base, entry = next(iter(grid.recipe.sources.items()))
    if entry.pretrain is None:
        return {}
    source, found = grid.source(base), {}
    for name, cell in {cell.place.target: cell for cell in cells}.items():
        splits = cell.result.runs[0].data
        if not cell.result.runs[0].task.keeps_body:
            continue
        identity = {
            **source.identity.facts,
            "source_data": entry.pretrain.data.model_dump(mode="json"),
            "data": splits.digest,
            "images": IMAGES,
            "seed": grid.recipe.seed,
        }
        step = Step.named(grid.folder / "gaps", name, identity)
        if step.result is None:
            with step.claim():
                measured = gap(source, entry.pretrain.data, cell.data, limit=IMAGES, seed=grid.recipe.seed)
                step.finish(measured.model_dump(mode="json"))
        assert step.result is not None
        found[name] = DomainGap.model_validate(step.result)
    return found
