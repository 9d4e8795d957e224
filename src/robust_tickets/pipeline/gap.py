"""How far each target lies from the data that the first source was pretrained on."""

from collections.abc import Sequence
from statistics import fmean

from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.domain_gap import DomainGap
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.report.sections import Table, Value
from robust_tickets.verbs.gap import gap

IMAGES = 2000
"""Of either side: a gap depends on their number, so that it is the same for all targets of a grid."""

NOTE = (
    "Squared Fréchet distance between training images of the source's data and of the target, in the features of "
    "{base}; at most {images:,} images of either. Gains are means over the drawn sparsities filled so far."
)


def measured_gaps(grid: Grid, cells: Sequence[Cell]) -> dict[str, DomainGap]:
    """Return the gap of every target with a filled cell, measured once and kept in the run folder.

    Nothing where the recipe does not say what its first source was pretrained on; none for targets that label pixels.
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


def gap_table(grid: Grid, gaps: dict[str, DomainGap], gains: dict[tuple[str, str, str], list[float]]) -> list[Table]:
    """Return gaps beside gains, the nearest target first; nothing without gaps.

    Args:
        grid: its first source is the one whose features these are and over whom the others gain.
        gaps: by target.
        gains: by (target, transfer, source), a mean difference in [-1, 1] for every drawn sparsity.
    """
    if not gaps:
        return []
    ways = list(dict.fromkeys((transfer, series) for _, transfer, series in gains))
    rows: list[tuple[Value, ...]] = []
    for target in sorted(gaps, key=lambda name: gaps[name].distance):
        of_target = grouped((key for key in gains if key[0] == target), lambda key: key[1:])
        means = [100 * fmean(gains[of_target[way][0]]) if way in of_target else None for way in ways]
        images = f"{gaps[target].source_images:,} and {gaps[target].target_images:,}"
        rows.append(
            (
                grid.name_of(target),
                gaps[target].distance,
                images,
                *(None if mean is None else f"{mean:+.1f}" for mean in means),
            )
        )
    columns = (
        "target",
        "domain gap",
        "images of source and target",
        *(f"{series}, {transfer}: gain (points)" for transfer, series in ways),
    )
    note = NOTE.format(base=next(iter(grid.recipe.sources)), images=IMAGES)
    if any(found.is_rank_deficient for found in gaps.values()):
        note += " Where there are no more images than features a gap is too large; compare those of equal numbers only."
    return [Table(title="Domain gap and gain", columns=columns, rows=tuple(rows), note=note)]
