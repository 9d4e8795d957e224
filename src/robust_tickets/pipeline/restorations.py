"""The pictures of a run that were restored, by which network, and how that went step by step."""

from collections.abc import Sequence
from operator import itemgetter

import torch
from torch import Tensor

from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.data.examples import Examples
from robust_tickets.findings.restorations import GeneratorCourse, PictureComparison
from robust_tickets.foundation.grouping import grouped
from robust_tickets.measures.peak_signal_noise import PeakSignalNoise, errors
from robust_tickets.models.network import Network
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.pipeline.places import DRAW
from robust_tickets.report.galleries import encoded
from robust_tickets.training.metrics import read_metrics
from robust_tickets.training.steadiness import VARIANCE
from robust_tickets.verbs.measure import measure_once

KEY = f"validation_{PeakSignalNoise.key}"


def restorations(grid: Grid, cells: Sequence[Cell]) -> list[PictureComparison]:
    """Return every picture that was restored, in every way of training; nothing of a run without generators."""
    of_pictures = [cell for cell in cells if "pictures" in cell.result.runs[0].task.provides]
    facets = grouped(of_pictures, lambda cell: (cell.place.target, cell.place.transfer))
    several = len(grid.recipe.transfers) > 1
    return [
        restoration(f"{grid.name_of(target)}, {transfer}" if several else grid.name_of(target), group, grid)
        for (target, transfer), group in facets.items()
    ]


def restoration(name: str, cells: Sequence[Cell], grid: Grid) -> PictureComparison:
    """Return one picture, with its networks in the order of the grid."""
    parts = [run.data.train for run in cells[0].result.runs]
    clean = [targets_of(part)["clean"] for part in parts]
    seen = [targets_of(part)["seen"] for part in parts]
    score = cells[0].result.runs[0].metric
    alike = seen[0].shape == clean[0].shape
    several = len(grid.recipe.sources) > 1
    problem = next(note for note in cells[0].result.runs[0].data.notes if note.startswith("problem: "))
    pictures = [("as it is seen", seen[0]), ("clean", clean[0])]
    for cell in cells:
        own = cell.result.runs[0].data.train  # noise differs from generator to generator
        if cell.place.is_drawn or cell.place.is_dense:
            pictures.append((named(cell, several), made(cell.result.runs[0].network, own)))
        if cell.place.is_drawn and cell.place.way == DRAW and cell.result.ticket is not None:
            untrained = cell.result.ticket.subnetwork(cell.result.source)
            pictures.append((f"{named(cell, several)}, untrained", made(untrained, own)))
    return PictureComparison(
        target=name,
        problem=problem.removeprefix("problem: "),
        seen=tuple(score.value(errors(one, other)) for one, other in zip(seen, clean, strict=True)) if alike else (),
        networks=tuple(restored(cell, named(cell, several)) for cell in cells),
        pictures=tuple((caption, encoded(picture[0].cpu().numpy())) for caption, picture in pictures),
    )


def named(cell: Cell, several: bool) -> str:
    """Return what readers call a cell's network; with its source where there are several."""
    name = cell.place.name(cell.result.sparsity)
    return f"{cell.place.series}, {name}" if several and cell.place.is_dense else name


def restored(cell: Cell, name: str) -> GeneratorCourse:
    """Return how one network learned the picture."""
    logs = [read_metrics(run.folder / "metrics.jsonl") for run in cell.result.runs if run.folder is not None]
    curves = [[(row["step"], row[KEY]) for row in log] for log in logs]
    steady = [[row for row in log if row[VARIANCE] is not None] for log in logs]
    shortest = min(map(len, curves))  # a seed may have stopped earlier than another
    measured = [measure_once(run, None, "test") for run in cell.result.runs]
    score, ticket = cell.result.runs[0].metric, cell.result.ticket
    total = sum(parameter.numel() for parameter in cell.result.source.network.body.parameters())
    removed = sum(int((~mask).sum()) for mask in ticket.masks.values()) if ticket is not None else 0
    return GeneratorCourse(
        name=name,
        sparsity=cell.result.sparsity,
        parameters=total - removed,
        steps=tuple(step for step, _ in curves[0][:shortest]),
        psnr=tuple(tuple(value for _, value in curve[:shortest]) for curve in curves),
        final=tuple(map(score.value, measured)),
        steadiest=tuple(min(rows, key=itemgetter(VARIANCE))[KEY] for rows in steady) if all(steady) else (),
        ssim=tuple(values[:, 1].mean().item() for values in measured),
    )


def targets_of(part: Examples) -> dict[str, Tensor]:
    """Return what is seen of a picture and what it should be, [1, C, H, W]."""
    return part.targets.collated([part[0][1]])


def made(network: Network, part: Examples) -> Tensor:
    """Return the picture that a network makes, [1, C, H, W]."""
    device = next(network.parameters()).device
    with torch.no_grad(), evaluation_mode(network, device) as predict:
        return predict(part[0][0][None])
