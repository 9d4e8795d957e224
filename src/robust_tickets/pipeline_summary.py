"""What a run tells: the facts, rows and verdicts of its report."""

from dataclasses import dataclass
from importlib.metadata import version

import torch

from robust_tickets.data import DataSettings
from robust_tickets.measures.matching import Decision
from robust_tickets.models.sources import Source
from robust_tickets.pruning.groups import degenerate_layers
from robust_tickets.recipe import Recipe
from robust_tickets.report.summary import Row, ShrinkRow, Summary, TicketKind, VerdictRow
from robust_tickets.shrinking.shrink import ShrinkReport, Variant
from robust_tickets.ticket import short
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.measure import Part
from robust_tickets.verbs.transfer import Transfer
from robust_tickets.verbs.verify import Verdict


@dataclass(frozen=True)
class Cell:
    """One ticket, or dense, transferred in one way."""

    series: str
    way: str
    """Name of the way of drawing, `dense` for none."""
    kind: TicketKind
    draw: DrawSettings
    result: Transfer
    dense: Transfer
    verdict: Verdict
    """On test data."""

    @property
    def selected_on(self) -> Part:
        """Return the part on which one of several tickets is chosen."""
        return "validation" if all(len(run.data.validation) for run in self.result.runs) else "test"


def summarise(
    recipe: Recipe,
    sources: dict[str, Source],
    cells: list[Cell],
    exports: list[tuple[Cell, ShrinkReport]],
    command: str,
) -> Summary:
    """Return everything the report tells."""
    drawn = [cell for cell in cells if cell.kind == "drawn"]
    shown = exports[0][0] if exports else drawn[-1]
    assert shown.result.ticket is not None
    data = cells[0].result.runs[0].data
    facts = [
        ("target", data.describe().splitlines()[0]),
        *(
            (
                f"source {name}",
                f"{source.identity.name}, {source.identity.weights}, {short(source.identity.digest)}",
            )
            for name, source in sources.items()
        ),
        ("seeds of transfers", ", ".join(str(r.seed) for r in cells[0].result.runs)),
        ("attack", recipe.verify.robustness.describe() if recipe.verify.robustness else "none measured"),
        ("versions", f"robust-tickets {version('robust-tickets')}, torch {torch.__version__}"),
    ]
    notes = list(data.notes)
    if exports and exports[0][0].selected_on == "test":
        notes.append("The data have no validation part: what was exported was chosen on test data.")
    if data.skipped:
        notes.append(f"{len(data.skipped)} unreadable images were left out.")
    for name, settings in recipe.draws().items():
        ticket = next(cell.result.ticket for cell in drawn if cell.way == name)
        assert ticket is not None
        weights = {key: ticket.masks[key] for key in ticket.prunable}
        if layers := degenerate_layers(settings.group, weights):
            notes.append(
                f"{name}: group {settings.group.kind} is the same as element in {len(layers)} of {len(weights)} "
                f"layers, whose kernels are 1x1: {', '.join(layers[:3])}{', ...' if len(layers) > 3 else ''}"
            )
    return Summary(
        title=recipe.name,
        facts=facts,
        rows=[row for cell in cells for row in rows_of(cell, recipe.data)],
        verdicts=[row for cell in drawn for row in verdict_rows(cell, recipe.data)],
        shrink=[row for cell, report in exports for row in shrink_rows(cell, report)],
        layer_sparsity=shown.result.ticket.layer_sparsity,
        notes=notes,
        command=command,
    )


def amount(data: DataSettings) -> str:
    """Return how much of the training data was used, for tables."""
    return f"{data.per_class} a class" if data.per_class is not None else f"{100 * data.fraction:g} %"


def rows_of(cell: Cell, data: DataSettings) -> list[Row]:
    """Return a row for each seed of a cell."""
    return [
        Row(
            series=cell.series,
            ticket=cell.kind,
            group=cell.draw.group.kind,
            timeline=cell.draw.timeline.kind,
            sparsity=cell.result.sparsity,
            transfer=cell.result.settings.mode,
            objective=cell.result.settings.training.objective.kind,
            target=cell.result.runs[0].data.name,
            fraction=amount(data),
            seed=one.seed,
            standard_accuracy=one.standard,
            robust_accuracy=one.robust,
            validation_accuracy=run_.validation,
        )
        for one, run_ in zip(cell.verdict.ticket_runs, cell.result.runs, strict=True)
    ]


def verdict_rows(cell: Cell, data: DataSettings) -> list[VerdictRow]:
    """Return a row for each accuracy that was decided on."""
    decisions = {"standard": cell.verdict.standard, "robust": cell.verdict.robust}
    return [
        verdict_row(cell, data, measure, decision) for measure, decision in decisions.items() if decision is not None
    ]


def verdict_row(cell: Cell, data: DataSettings, measure: str, decision: Decision) -> VerdictRow:
    """Return one decision as the report shows it."""
    return VerdictRow.model_validate(
        {
            "series": cell.series,
            "target": cell.result.runs[0].data.name,
            "fraction": amount(data),
            "group": cell.draw.group.kind,
            "sparsity": cell.result.sparsity,
            "transfer": cell.result.settings.mode,
            "objective": cell.result.settings.training.objective.kind,
            "measure": measure,
            "verdict": decision.verdict,
            "difference": decision.difference,
            "low": decision.interval.lower if decision.interval else None,
            "high": decision.interval.upper if decision.interval else None,
            "seeds": decision.seeds,
            "seeds_needed": decision.seeds_needed,
            "margin": decision.margin,
            "papers_rule": decision.papers_rule,
        }
    )


def shrink_rows(cell: Cell, report: ShrinkReport) -> list[ShrinkRow]:
    """Return the exported networks as the report shows them."""
    sparsity = cell.result.sparsity
    dense = shrink_row(f"{cell.way}: dense", 0.0, report.dense, None, "")
    if report.kind == "zeros only":
        return [dense, shrink_row(f"{cell.way}: zeros in place", sparsity, report.ticket, None, report.sentence)]
    shrunk, difference = f"{cell.way}: channels removed", report.removal.max_difference
    return [
        dense,
        shrink_row(f"{cell.way}: zeros in place", sparsity, report.ticket, None, ""),
        shrink_row(shrunk, sparsity, report.shrunk, difference, report.sentence),
    ]


def shrink_row(name: str, sparsity: float, variant: Variant, difference: float | None, note: str) -> ShrinkRow:
    """Return one exported network."""
    return ShrinkRow(
        name=name,
        sparsity=sparsity,
        parameters=variant.parameters,
        nonzero=variant.nonzero_parameters,
        macs=variant.multiply_adds,
        bytes=variant.onnx_bytes,
        latency_ms=variant.latency.median_ms,
        ratio=variant.latency.speedup,
        max_difference=difference,
        note=note,
    )
