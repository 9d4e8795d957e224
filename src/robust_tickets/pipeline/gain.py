"""What each source's tickets gain over the first source's: the question of the robust-ticket papers."""

from collections.abc import Sequence
from statistics import fmean, stdev

from robust_tickets.foundation.grouping import grouped
from robust_tickets.pipeline.gap import gap_table, measured_gaps
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.report.notation import scores_of, signed_points, sparsity_percent
from robust_tickets.report.sections import Chart, Line, Section, Table, Value

TEXT = (
    "Difference of mean test {score} to {base}, at the same target, transfer, drawing and sparsity, in points; runs "
    "are paired by seed and ± is one standard deviation of the paired differences. Above zero, {base} loses."
)


def gain_section(grid: Grid, cells: Sequence[Cell]) -> list[Section]:
    """Return the gains over the recipe's first source; nothing where there is no second one, or nothing to pair."""
    found = {cell.place: cell for cell in cells if cell.place.is_drawn or cell.place.is_dense}
    base, *others = (name for name in grid.recipe.sources if any(place.series == name for place in found))
    tables, charts = [], []
    drawn: dict[tuple[str, str, str], list[float]] = {}
    facets = grouped(found, lambda place: (place.target, place.transfer))
    for (target, transfer), places in facets.items():
        rows: list[tuple[Value, ...]] = []
        lines: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
        for line in grouped(places, lambda place: (place.way, place.sparsity)).values():
            by_series = {place.series: found[place] for place in line}
            if base not in by_series:
                continue
            gains = {name: paired(by_series[name], by_series[base]) for name in others if name in by_series}
            if not gains:
                continue
            first = by_series[base]
            sparsity = first.result.sparsity
            rows.append(
                (
                    line[0].way,
                    sparsity_percent(sparsity),
                    *(told(gains[name]) if name in gains else None for name in others),
                )
            )
            for name, differences in gains.items():
                spread = stdev(differences) if len(differences) > 1 else 0.0
                if first.place.is_drawn:
                    drawn.setdefault((target, transfer, name), []).append(fmean(differences))
                lines.setdefault((name, line[0].way), []).append((sparsity, fmean(differences), spread))
        if rows:
            title = f"{grid.name_of(target)}, {transfer} transfer"
            columns = ("drawing", "sparsity (%)", *(f"{name} minus {base} (points)" for name in others))
            tables.append(Table(title=title, columns=columns, rows=tuple(rows)))
            charts += gain_chart(title, base, lines)
    if not tables:
        return []
    tables = [*gap_table(grid, measured_gaps(grid, cells), drawn), *tables]
    text = TEXT.format(base=base, score=scores_of(cell.verdict.score for cell in cells))
    return [Section(title=f"Gain over {base} tickets", text=text, tables=tuple(tables), charts=tuple(charts))]


def paired(one: Cell, base: Cell) -> list[float]:
    """Return the differences of standard accuracy, seed by seed, for the seeds that both have."""
    reference = {run.seed: run.standard for run in base.verdict.ticket_runs}
    return [run.standard - reference[run.seed] for run in one.verdict.ticket_runs if run.seed in reference]


def told(differences: Sequence[float]) -> str:
    """Write a gain as `+1.2 ± 0.4`, in points."""
    spread = f" ± {100 * stdev(differences):.1f}" if len(differences) > 1 else ""
    return f"{signed_points(fmean(differences))}{spread}"


def gain_chart(title: str, base: str, lines: dict[tuple[str, str], list[tuple[float, float, float]]]) -> list[Chart]:
    """Return gain against sparsity, a line for each source and drawing that has two points or more."""
    several = len({way for _, way in lines if way != "dense"}) > 1
    drawn = [
        Line(
            name=f"{name}, {way}" if several else name,
            x=tuple(100 * point[0] for point in sorted(points)),
            y=tuple(100 * point[1] for point in sorted(points)),
            std=tuple(100 * point[2] for point in sorted(points)),
        )
        for (name, way), points in lines.items()
        if len(points) > 1
    ]
    if not drawn:
        return []
    return [Chart(title=title, x_label="Sparsity (%)", y_label=f"Gain over {base} (points)", lines=tuple(drawn))]
