"""Further measures, as sections of a report: one section per kind, with dense and tickets side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

from robust_tickets.attacks.attack_log import VANISHED
from robust_tickets.foundation.grouping import grouped
from robust_tickets.measures.caveats import NOTICEABLE
from robust_tickets.measures.figure import Figure, Sweep
from robust_tickets.measures.measure import Measure, by_name
from robust_tickets.report.notation import capitalised, mean_and_std
from robust_tickets.report.points import Spread
from robust_tickets.report.sections import Chart, Line, Section, Table, Value

TEXT = "Mean ± one standard deviation over seeds, on test data. These figures decide nothing."
LINES = 6
"""This many lines of a chart can be distinguished by colour."""


@dataclass(frozen=True)
class Subject:
    """One ticket, or dense, transferred in one way: a line of tables and charts."""

    labels: Mapping[str, Value]
    """Its distinguishing labels, by the heading of the column."""
    figures: Sequence[Mapping[str, Mapping[str, float]]] = field(repr=False)
    """Of each seed: figures of each measure by name, by the measure's name."""
    name: str
    """In legends."""
    chart: str | None = None
    """The chart that it belongs to; None: none."""
    source: str = ""
    """A chart shows as many lines of each source."""

    def spread(self, measure: str, figure: str) -> Spread:
        """Return a figure's mean and standard deviation over seeds."""
        return Spread.of([seed[measure][figure] for seed in self.figures])


def measure_sections(measures: Sequence[Measure], subjects: Sequence[Subject], noun: str) -> list[Section]:
    """Return a section for each kind of measure; nothing if nothing further was measured.

    Args:
        measures: what was measured.
        subjects: of which networks.
        noun: on what: `images`.
    """
    named = by_name(measures)
    kinds = grouped(named, lambda name: named[name].title)
    return [_section(title, {name: named[name] for name in names}, subjects, noun) for title, names in kinds.items()]


def _section(title: str, measures: Mapping[str, Measure], subjects: Sequence[Subject], noun: str) -> Section:
    if all(measure.principal is not None for measure in measures.values()):
        tables = [_table(title, measures, subjects, noun)]
    else:
        tables = [_table(name, {name: measure}, subjects, noun) for name, measure in measures.items()]
    charts = [chart for name, measure in measures.items() for chart in _charts(name, measure.sweep, subjects)]
    limits = [(name, measure.most_images) for name, measure in measures.items()]
    few = (f"{name[0].upper()}{name[1:]}: on at most {limit:,} {noun}." for name, limit in limits if limit)
    blind = (line for name in measures if (line := _blindness(name, subjects)))
    text = " ".join((TEXT, *_directions(measures, subjects), *few, *blind))
    return Section(title=title, text=text, tables=tuple(tables), charts=tuple(charts))


def shown(measure: Measure, figures: Mapping[str, float]) -> dict[str, Figure]:
    """Return the figures that tables show, by key; parts of other figures are left out."""
    told = {key: measure.figure(key) for key in figures}
    return {key: figure for key, figure in told.items() if figure is not None}


def _directions(measures: Mapping[str, Measure], subjects: Sequence[Subject]) -> list[str]:
    """Return a sentence on the figures for which lower is better; nothing if there are none."""
    first = subjects[0].figures[0]
    figures = [figure for name, measure in measures.items() for figure in shown(measure, first[name]).values()]
    lower = list(dict.fromkeys(figure.name for figure in figures if not figure.higher_is_better))
    if not lower:
        return []
    return ["Lower is better." if len(lower) == len(figures) else f"Lower is better: {'; '.join(lower)}."]


def _blindness(name: str, subjects: Sequence[Subject]) -> str:
    """Return a sentence on the networks in which a measure's attack saw no gradient; nothing if it always did."""
    shares = {
        ", ".join(str(value) for value in subject.labels.values() if value): max(
            figures[name].get(VANISHED, 0.0) for figures in subject.figures
        )
        for subject in subjects
    }
    worst = max(shares, key=lambda subject: shares[subject])
    if shares[worst] < NOTICEABLE:
        return ""
    number = sum(share >= NOTICEABLE for share in shares.values())
    return (
        f"{name}: the gradient vanished on up to {100 * shares[worst]:.0f} % of the attacked images ({worst}; in "
        f"{number} of {len(shares)} networks). Without a gradient, an attack is no evidence of robustness; such images "
        "were attacked again under a scale-free loss, then searched without gradients."
    )


def _table(title: str, measures: Mapping[str, Measure], subjects: Sequence[Subject], noun: str) -> Table:
    cells: dict[str, tuple[str, str, Figure]] = {}
    for name, measure in measures.items():
        for key, figure in shown(measure, subjects[0].figures[0][name]).items():
            cells.setdefault(figure.unit.headed(_heading(key, figure, name, measure, noun)), (name, key, figure))
    constant = [key for key in subjects[0].labels if len({subject.labels[key] for subject in subjects}) == 1]
    varied = [key for key in subjects[0].labels if key not in constant]
    return Table(
        title=title,
        columns=(*varied, *cells),
        rows=tuple(
            (
                *(subject.labels[key] for key in varied),
                *(mean_and_std(subject.spread(name, key), figure.unit) for name, key, figure in cells.values()),
            )
            for subject in subjects
        ),
        note=", ".join(f"{key} {subjects[0].labels[key]}" for key in constant),
    )


def _heading(key: str, figure: Figure, name: str, measure: Measure, noun: str) -> str:
    """Return a column's heading.

    Where measures share a table the principal figure has the measure's name, and the others, which depend on the
    inputs alone, say on how many they are: measures of other limits have other such figures.
    """
    if measure.principal is None:
        return figure.name
    limit = measure.most_images
    return name if key == measure.principal else f"{figure.name}, at most {limit} {noun}" if limit else figure.name


def _charts(name: str, sweep: Sweep | None, subjects: Sequence[Subject]) -> list[Chart]:
    if sweep is None or len(sweep.along) < 2:
        return []
    charted = grouped([subject for subject in subjects if subject.chart is not None], lambda subject: subject.chart)
    return [
        Chart(
            title=f"{name}: {chart}",
            x_label=sweep.axis,
            y_label=sweep.of.unit.headed(capitalised(sweep.of.name)),
            lines=tuple(_line(subject, name, sweep) for subject in few(together)),
            note="" if len(together) <= LINES else f"{LINES} of {len(together)} lines; the table has all of them.",
        )
        for chart, together in charted.items()
    ]


def _line(subject: Subject, name: str, sweep: Sweep) -> Line:
    by_seed = [
        [sweep.of.unit.scaled(fmean(seed[name][key] for key in keys)) for keys in sweep.along.values()]
        for seed in subject.figures
    ]
    points = list(zip(*by_seed, strict=True))
    return Line(
        name=subject.name,
        x=tuple(sweep.along),
        y=tuple(map(fmean, points)),
        std=tuple(map(stdev, points)) if len(by_seed) > 1 else None,
    )


def few(subjects: Sequence[Subject]) -> list[Subject]:
    """Return at most six subjects: of each source as many, the first and the last among them, evenly spread."""
    sources = grouped(subjects, lambda subject: subject.source)
    share = max(LINES // len(sources), 1)
    chosen = [one for together in sources.values() for one in _spread_out(together, share)]
    return chosen[:LINES]


def _spread_out(subjects: Sequence[Subject], count: int) -> list[Subject]:
    if len(subjects) <= count:
        return list(subjects)
    if count == 1:
        return [subjects[-1]]
    return [subjects[round(place * (len(subjects) - 1) / (count - 1))] for place in range(count)]
