"""Ways of drawing side by side over all targets: how much more often they err than dense, and what they cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from statistics import fmean, stdev

from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.measures.matching import half_width
from robust_tickets.report.notation import magnitude
from robust_tickets.report.sections import Chart, Line, Section, Table, Value, first_lines
from robust_tickets.ticket.cost import Cost

TITLE = "Ways of drawing compared"

TEXT = (
    "Relative error increase: how much more often a ticket errs on test data than the dense network trained alike, in "
    "per cent of dense's errors (Iofinova et al., 2022); below zero the ticket errs less. Runs are paired by seed and "
    "averaged over targets; ± is half the 95 % interval over seeds of that mean, on these targets. Rank 1 has the "
    "least errors; ranks are means over the targets that all ways have."
)

COST_TEXT = (
    "Multiply-adds left: zeros count as free, which holds for engines that skip them. Multiply-adds of drawing: three "
    "times the dense network's for each example, since masks save nothing while training. Attacks, scores that read "
    "examples, a dense finetuning before the draw, and what a search saves are not counted. Minutes were measured on "
    "the machine that drew the ticket, without that finetuning."
)

LEVEL = 0.025
"""Of an interval's ends."""


@dataclass(frozen=True)
class Increase:
    """What one way of drawing reaches on one target."""

    ticket: tuple[float, ...]
    """Errors on test data, in [0, 1], one per seed."""
    dense: tuple[float, ...]
    """Those of dense, the same seeds in the same order."""

    @property
    def by_seed(self) -> tuple[float, ...]:
        """Return the relative increase of each seed, over dense's mean error; NaN if dense never errs."""
        base = fmean(self.dense)
        if base == 0:
            return tuple(nan for _ in self.dense)
        return tuple((ticket - dense) / base for ticket, dense in zip(self.ticket, self.dense, strict=True))

    @property
    def mean(self) -> float:
        """Return the mean over seeds."""
        return fmean(self.by_seed)


@dataclass(frozen=True)
class WayOfDrawing:
    """Tickets of one way of drawing, source and sparsity, trained in one way."""

    way: str
    source: str
    transfer: str
    sparsity: float
    """As asked for, in [0, 1]."""
    increases: Mapping[str, Increase]
    """By target, those that are filled."""
    left: float
    """Multiply-adds that are left if zeros cost nothing, of those of dense."""
    multiply_adds: int
    """Of the dense network, for one example."""
    cost: Cost | None
    """Of the draw; None where it was not recorded."""

    @property
    def defined(self) -> dict[str, Increase]:
        """Return the targets on which dense errs at all."""
        return {target: one for target, one in self.increases.items() if not isnan(one.mean)}

    @property
    def by_seed(self) -> tuple[float, ...]:
        """Return each seed's mean over targets; of as many seeds as all targets have."""
        return tuple(fmean(seed) for seed in zip(*(one.by_seed for one in self.defined.values()), strict=False))

    @property
    def mean(self) -> float | None:
        """Return the mean over targets and seeds; None without any."""
        return fmean(one.mean for one in self.defined.values()) if self.defined else None


def family_sections(found: Sequence[WayOfDrawing]) -> list[Section]:
    """Return a table for each source, transfer and sparsity, and what tickets cost; nothing with a single way."""
    facets = grouped(found, lambda one: (one.source, one.transfer, one.sparsity))
    compared = {facet: group for facet, group in facets.items() if len(group) > 1}
    if not compared:
        return []
    several = len({source for source, _, _ in compared}) > 1
    tables = tuple(_table(_title(facet, several), group) for facet, group in compared.items())
    by_sparsity = _charts(found, several, "Sparsity (%)", lambda one: one.sparsity)
    by_cost = _charts(found, several, "Multiply-adds left (%)", lambda one: one.left)
    targets = {target for one in found for target in one.increases}
    return [
        Section(title=TITLE, text=TEXT, tables=tables, charts=by_sparsity, is_verdict=len(targets) > 1),
        Section(title="What tickets cost", text=COST_TEXT, tables=(_costs(found, several),), charts=by_cost),
    ]


def _title(facet: tuple[str, str, float], several: bool) -> str:
    source, transfer, sparsity = facet
    return f"{transfer} transfer, {sparsity_percent(sparsity)} %{f', {source}' if several else ''}"


def _table(title: str, group: Sequence[WayOfDrawing]) -> Table:
    """Return the ways of drawing at one sparsity, the least errors first."""
    targets = list(dict.fromkeys(target for one in group for target in one.increases))
    everywhere = [target for target in targets if all(target in one.defined for one in group)]
    rows: list[tuple[Value, ...]] = []
    for one in sorted(group, key=lambda one: (one.mean is None, one.mean)):
        means = (_percent(one.increases[target].mean) if target in one.increases else None for target in targets)
        rows.append((one.way, _mean_told(one), _rank(one, group, everywhere), *means))
    note = ""
    if len(everywhere) < len(targets):
        left = ", ".join(target for target in targets if target not in everywhere)
        note = (
            f"Ranks leave out {left}: not every way is filled there, or dense never errs. Increases are means over "
            "those targets that a way has."
        )
    columns = ("drawing", "relative error increase (%)", "mean rank", *(f"{target} (%)" for target in targets))
    return Table(title=title, columns=columns, rows=tuple(rows), note=note)


def _mean_told(one: WayOfDrawing) -> str | None:
    """Write the mean over targets, with half its interval over seeds."""
    if one.mean is None:
        return None
    seeds = one.by_seed
    if len(seeds) < 2:
        return _percent(one.mean)
    return f"{_percent(one.mean)} ± {100 * half_width(stdev(seeds), len(seeds), LEVEL):.1f}"


def _percent(value: float) -> str | None:
    return None if isnan(value) else f"{100 * value:+.1f}".replace("-", "−")


def _minutes(value: float) -> str:
    """Write `0.05`, `1.5`, `125`: never with a power of ten, as `.2g` alone does from 100 on."""
    return f"{value:.2g}" if 1e-3 < value < 10 else f"{value:,.0f}"


def _rank(one: WayOfDrawing, group: Sequence[WayOfDrawing], targets: Sequence[str]) -> str | None:
    """Write the mean over targets of the place among all ways; those that are equal share theirs."""
    if not targets:
        return None
    places: list[float] = []
    for target in targets:
        means = [round(other.increases[target].mean, 9) for other in group]
        own = round(one.increases[target].mean, 9)
        before, equal = sum(mean < own for mean in means), sum(mean == own for mean in means)
        places.append(before + (equal + 1) / 2)
    return f"{fmean(places):.2f}"


def _charts(
    found: Sequence[WayOfDrawing], several: bool, x_label: str, x: Callable[[WayOfDrawing], float]
) -> tuple[Chart, ...]:
    """Return relative error increase against a share for each source and transfer, a line for each way."""
    charts: list[Chart] = []
    for (source, transfer), group in grouped(found, lambda one: (one.source, one.transfer)).items():
        lines = [
            _line(way, line, x)
            for way, line in grouped(group, lambda one: one.way).items()
            if len([one for one in line if one.mean is not None]) > 1
        ]
        if lines:
            title = f"{transfer} transfer{f', {source}' if several else ''}"
            shown, note = first_lines(lines, "ways")
            charts.append(
                Chart(
                    title=title,
                    x_label=x_label,
                    y_label="Relative error increase (%)",
                    lines=shown,
                    note=note,
                )
            )
    return tuple(charts)


def _line(way: str, group: Sequence[WayOfDrawing], x: Callable[[WayOfDrawing], float]) -> Line:
    points = sorted((x(one), one.mean, one.by_seed) for one in group if one.mean is not None)
    return Line(
        name=way,
        x=tuple(100 * share for share, _, _ in points),
        y=tuple(100 * mean for _, mean, _ in points),
        std=tuple(100 * stdev(seeds) if len(seeds) > 1 else 0.0 for _, _, seeds in points),
    )


def _costs(found: Sequence[WayOfDrawing], several: bool) -> Table:
    """Return what each ticket computes with and what its draw took, once for each ticket."""
    rows: list[tuple[Value, ...]] = []
    for (way, source, sparsity), same in grouped(found, lambda one: (one.way, one.source, one.sparsity)).items():
        one = same[0]
        drawing: tuple[Value, ...] = (None, None, None)
        if one.cost is not None:
            work = 3 * one.multiply_adds * one.cost.examples
            drawing = (f"{one.cost.examples:,}", magnitude(work), _minutes(one.cost.seconds / 60))
        name = f"{way}, {source}" if several else way
        rows.append((name, sparsity_percent(sparsity), f"{100 * one.left:.1f}", *drawing))
    columns = (
        *("drawing", "sparsity (%)", "multiply-adds left (%)"),
        *("training examples", "multiply-adds of drawing", "minutes of drawing"),
    )
    note = f"The dense network has {magnitude(found[0].multiply_adds)} multiply-adds." if not several else ""
    return Table(title="What tickets cost", columns=columns, rows=tuple(rows), note=note)
