"""What a run reports: the facts, rows and verdicts."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import torch

from robust_tickets.findings.across_tasks import across_task_sections
from robust_tickets.findings.analyses import analysis_sections
from robust_tickets.findings.baselines import baseline_sections
from robust_tickets.findings.collapses import collapse_sections
from robust_tickets.findings.double_wins import double_win_sections
from robust_tickets.findings.early_draws import early_draw_sections
from robust_tickets.findings.exported import exported_section
from robust_tickets.findings.families import family_sections
from robust_tickets.findings.gains import gain_sections
from robust_tickets.findings.matching_ranges import matching_range_sections
from robust_tickets.findings.measures import measure_sections
from robust_tickets.findings.restorations import restoration_sections
from robust_tickets.findings.searches import search_sections
from robust_tickets.findings.trainings import trainings_section
from robust_tickets.findings.unfilled import Unfilled, unfilled_sections
from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.measures.matching import Decision
from robust_tickets.pipeline.across_tasks import across_tasks
from robust_tickets.pipeline.as_it_came import as_it_came
from robust_tickets.pipeline.double_win import judged
from robust_tickets.pipeline.draw_records import draw_distances, search_courses
from robust_tickets.pipeline.exports import Export
from robust_tickets.pipeline.families import families
from robust_tickets.pipeline.gain import gains_of
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.pipeline.inside import inside
from robust_tickets.pipeline.matching_ranges import ladders
from robust_tickets.pipeline.measured import subject
from robust_tickets.pipeline.names import Names, amount
from robust_tickets.pipeline.overfitting import collapses
from robust_tickets.pipeline.restorations import restorations
from robust_tickets.pruning.groups import degenerate_layers
from robust_tickets.recipe import Recipe
from robust_tickets.report.summary import ResultRow, ShrinkRow, Summary, VerdictRow
from robust_tickets.shrinking.shrink import Variant
from robust_tickets.ticket.ticket import short
from robust_tickets.ticket.ticket_card import told_emptied
from robust_tickets.training.precision import resolved
from robust_tickets.verbs.exported import Exported
from robust_tickets.verbs.verify import selected_on


def summarise(
    recipe: Recipe,
    grid: Grid,
    cells: list[Cell],
    exports: list[Export],
    files: list[Exported],
    command: str,
) -> Summary:
    """Return everything the report says about the cells filled so far."""
    drawn = [cell for cell in cells if cell.place.is_drawn]
    tickets = [cell.result.ticket for cell in (exports[0].cell if exports else cell for cell in reversed(drawn))]
    shown = next((ticket for ticket in tickets if ticket is not None), None)
    names = Names.of(recipe, cells)
    analysis = inside(recipe, cells)
    sections = [
        *baseline_sections(as_it_came(grid, cells)),
        *double_win_sections(judged(recipe, cells)),
        *restoration_sections(restorations(grid, cells)),
        *gain_sections(gains_of(grid, cells)),
        *across_task_sections(across_tasks(grid, cells)),
        *matching_range_sections(ladders(grid, cells)),
        *family_sections(families(grid, cells)),
        *measure_sections(recipe.verify.measures, [subject(recipe, cell) for cell in cells], noun_of(cells)),
        *map(exported_section, files),
        *(analysis_sections(analysis) if analysis is not None else ()),
        *early_draw_sections(draw_distances(grid.folder)),
        *search_sections(search_courses(grid.folder)),
        *collapse_sections(collapses(grid.folder)),
        *unfilled_sections(unfilled(grid, cells), len(cells), len(grid.places)),
        trainings_section(recipe.transfers),
    ]
    return Summary(
        title=recipe.name,
        facts=facts(recipe, grid, cells),
        rows=[row for cell in cells for row in rows_of(cell, names)],
        verdicts=[row for cell in drawn for row in verdict_rows(cell, names)],
        shrink=[row for export in exports for row in shrink_rows(export)],
        layer_sparsity=shown.layer_sparsity if shown is not None else {},
        sections=sections,
        notes=notes(recipe, cells, exports),
        command=command,
    )


def noun_of(cells: Sequence[Cell]) -> str:
    """Return what the networks of all cells take: every target's inputs are what the sources take."""
    return next((cell.result.runs[0].data.noun for cell in cells), "images")


def facts(recipe: Recipe, grid: Grid, cells: list[Cell]) -> list[tuple[str, str]]:
    """Return what was used, as pairs of label and value."""
    data = {cell.place.target: cell.result.runs[0].data for cell in cells}
    seeds = {name: ", ".join(map(str, settings.seeds)) for name, settings in recipe.transfers.items()}
    return [
        *(
            (f"target {name}" if len(data) > 1 else "target", one.describe().splitlines()[0])
            for name, one in data.items()
        ),
        *(
            (f"source {name}", f"{one.identity.name}, {one.identity.weights}, {short(one.identity.digest)}")
            for name, one in grid.sources.items()
        ),
        ("seeds of transfers", "; ".join(f"{name} {numbers}" for name, numbers in seeds.items())),
        ("attack", recipe.verify.robustness.describe() if recipe.verify.robustness else "none measured"),
        ("versions", f"robust-tickets {version('robust-tickets')}, torch {torch.__version__}"),
    ]


def notes(recipe: Recipe, cells: list[Cell], exports: list[Export]) -> list[str]:
    """Return notes that a reader needs."""
    data = {cell.place.target: cell.result.runs[0].data for cell in cells}
    found = [note if len(data) == 1 else f"{name}: {note}" for name, one in data.items() for note in one.notes]
    if told := precision_note(cells):
        found.append(told)
    if exports and selected_on(exports[0].cell.result) == "test":
        found.append("The data have no validation part: the exported ticket was chosen on test data.")
    for name, one in data.items():
        if one.skipped:
            found.append(f"{name}: {len(one.skipped)} unreadable {one.noun} were left out.")
    for name, settings in recipe.draws().items():
        ticket = next((c.result.ticket for c in cells if c.place.way == name and c.place.is_drawn), None)
        if ticket is None:
            continue
        weights = {key: ticket.masks[key] for key in ticket.prunable}
        found += emptied_layers(name, cells)
        if layers := degenerate_layers(settings.group, weights):
            found.append(
                f"{name}: group {settings.group.kind} is the same as element in {len(layers)} of {len(weights)} "
                f"layers, whose kernels are 1x1: {', '.join(layers[:3])}{', ...' if len(layers) > 3 else ''}"
            )
    return found


def emptied_layers(way: str, cells: list[Cell]) -> list[str]:
    """Return a line for every ticket of a way of drawing, controls too, that has layers without any weights left."""
    tickets = {
        (cell.place.series, cell.place.kind, cell.result.sparsity): cell.result.ticket
        for cell in cells
        if cell.place.way == way and cell.result.ticket is not None
    }
    return [
        f"{way}, {series}, {kind}, {sparsity_percent(sparsity)} %:{told_emptied(ticket.emptied)}"
        for (series, kind, sparsity), ticket in tickets.items()
        if ticket.emptied
    ]


def precision_note(cells: list[Cell]) -> str | None:
    """Return the number format in which training ran, if it depends on the machine; otherwise None."""
    automatic = [cell.result.source.network for cell in cells if cell.result.settings.training.precision == "auto"]
    if not automatic:
        return None
    formats = {resolved("auto", network, next(network.parameters()).device) for network in automatic}
    ran = f"Training ran in {' and '.join(sorted(formats))}, which is fastest on this machine."
    others = (
        "Processors without bf16 instructions train in fp32"
        if "bf16" in formats
        else "Other processors, and GPUs, may train in bf16"
    )
    return f"{ran} {others}, so figures differ by a few tenths of a point from machine to machine."


def unfilled(grid: Grid, cells: list[Cell]) -> list[Unfilled]:
    """Return which cells of the grid are not filled yet; nothing if all are."""
    filled = {cell.place for cell in cells}
    lines = grouped(grid.places, lambda place: (place.target, place.transfer, place.way, place.kind, place.series))
    found: list[Unfilled] = []
    for (target, transfer, way, kind, series), places in lines.items():
        missing = [place for place in places if place not in filled]
        if missing:
            ticket = kind if way in ("dense", kind) else f"{way}, {kind}"
            sparsities = tuple(place.sparsity for place in missing if place.sparsity is not None)
            counts = (len(places) - len(missing), len(places))
            found.append(Unfilled(grid.name_of(target), transfer, series, ticket, *counts, sparsities))
    return found


def rows_of(cell: Cell, names: Names) -> list[ResultRow]:
    """Return a row for each seed of a cell."""
    return [
        ResultRow(
            **names.fields(cell),
            series=cell.place.series,
            ticket=cell.place.kind,
            group=cell.draw.group.kind,
            timeline=cell.draw.timeline.kind,
            sparsity=cell.result.sparsity,
            transfer=cell.result.settings.mode,
            objective=cell.result.settings.training.objective.kind,
            fraction=amount(cell.data),
            score=cell.verdict.score,
            unit=cell.verdict.standard.unit,
            seed=one.seed,
            standard_accuracy=one.standard,
            robust_accuracy=one.robust,
            validation_accuracy=run_.validation,
        )
        for one, run_ in zip(cell.verdict.ticket_runs, cell.result.runs, strict=True)
    ]


def verdict_rows(cell: Cell, names: Names) -> list[VerdictRow]:
    """Return a row for each accuracy that was decided on."""
    decisions = {"standard": cell.verdict.standard, "robust": cell.verdict.robust}
    given = [(measure, decision) for measure, decision in decisions.items() if decision is not None]
    caveats = {measure: [c.text for c in cell.verdict.caveats if c.measure == measure] for measure, _ in given}
    return [verdict_row(cell, names, measure, decision, caveats[measure]) for measure, decision in given]


def verdict_row(cell: Cell, names: Names, measure: str, decision: Decision, caveats: Sequence[str]) -> VerdictRow:
    """Return one decision as the report shows it."""
    return VerdictRow.model_validate(
        {
            **names.fields(cell),
            "series": cell.place.series,
            "fraction": amount(cell.data),
            "group": cell.draw.group.kind,
            "sparsity": cell.result.sparsity,
            "transfer": cell.result.settings.mode,
            "objective": cell.result.settings.training.objective.kind,
            "measure": measure,
            "score": cell.verdict.score,
            "unit": decision.unit,
            "higher_is_better": decision.higher_is_better,
            "verdict": decision.verdict,
            "difference": decision.difference,
            "low": decision.interval.lower if decision.interval else None,
            "high": decision.interval.upper if decision.interval else None,
            "seeds": decision.seeds,
            "seeds_needed": decision.seeds_needed,
            "noun": cell.verdict.noun,
            "examples": decision.examples,
            "examples_needed": decision.examples_needed,
            "margin": decision.margin,
            "papers_rule": decision.papers_rule,
            "caveats": tuple(caveats),
        }
    )


def shrink_rows(export: Export) -> list[ShrinkRow]:
    """Return the exported networks as the report shows them."""
    report, way, verdict = export.report, export.cell.place.way, export.cell.verdict
    ticket = {
        "sparsity": export.cell.result.sparsity,
        "accuracy": verdict.standard.ticket,
        "verdict": verdict.verdict,
        "series": export.cell.place.series,
        "group": export.cell.draw.group.kind,
        "transfer": export.cell.result.settings.mode,
    }
    shipped = {**ticket, "file": export.path.name, "note": report.sentence}

    def row(name: str, variant: Variant, **more: Any) -> ShrinkRow:
        return ShrinkRow(
            name=f"{way}: {name}",
            parameters=variant.parameters,
            nonzero=variant.nonzero_parameters,
            macs=variant.multiply_adds,
            bytes=variant.file_bytes,
            size_ratio=report.dense.file_bytes / variant.file_bytes,
            latency_ms=variant.latency.median_ms,
            ratio=variant.latency.speedup,
            score=verdict.score,
            unit=verdict.standard.unit,
            noun=verdict.noun,
            **more,
        )

    if export.is_runtime:
        # Timed in other rounds than the ONNX file: its ratio is to dense in these.
        return [row("zeros left out (runtime)", report.shrunk, max_difference=report.removal.max_difference, **shipped)]
    dense = row("dense", report.dense, sparsity=0.0, accuracy=verdict.standard.dense)
    if not report.removal.channels_removed:
        return [dense, row("zeros in place", report.ticket, **shipped)]
    return [
        dense,
        row("zeros in place", report.ticket, **ticket),
        row("channels removed", report.shrunk, max_difference=report.removal.max_difference, **shipped),
    ]
