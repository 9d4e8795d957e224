"""What each source did on the test images as it came: the baseline where its head is kept."""

from collections.abc import Sequence
from statistics import fmean

from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.report.notation import percent
from robust_tickets.report.sections import Section, Table
from robust_tickets.verbs.evaluate import evaluate

TEXT = (
    "What the source does on the same test images without any training, beside dense after its transfer. Told where "
    "transfers keep the head: only then are its classes those of the data."
)


def as_it_came_section(grid: Grid, cells: Sequence[Cell]) -> list[Section]:
    """Return a line for every source and target to which a transfer keeps the head; nothing where none does."""
    rows = []
    seen = set()
    for cell in cells:
        place, settings = cell.place, cell.result.settings
        key = (place.series, place.target)
        if settings.head != "keep" or not place.is_dense or key in seen:
            continue
        seen.add(key)
        source, data = grid.source(place.series), cell.result.runs[0].data
        folder = grid.folder / "as_it_came" / place.series / place.target
        found = evaluate(source, data, folder=folder).runs[0]
        interval = found.interval
        bounds = f"{percent(interval.lower)} to {percent(interval.upper)}" if interval is not None else None
        dense = fmean(run.standard for run in cell.verdict.ticket_runs)
        target = grid.name_of(place.target)
        rows.append((place.series, target, percent(found.standard), bounds, percent(dense), place.transfer))
    if not rows:
        return []
    columns = ("source", "target", "as it came (%)", "95 % interval", "dense (%)", "transfer")
    table = Table(title="The sources as they came", columns=columns, rows=tuple(rows))
    return [Section(title="As it came", text=TEXT, tables=(table,), is_verdict=True)]
