"""What further measures found, as sections of a report: a section a kind, dense and tickets side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

from pydantic import Field

from robust_tickets.attacks.attack_log import PREFIX, VANISHED
from robust_tickets.attacks.threat import Ball
from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.caveats import NOTICEABLE
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.measures.measure import Measure, by_name
from robust_tickets.measures.robustness_curve import RobustnessCurve
from robust_tickets.report.notation import mean_and_std, percent
from robust_tickets.report.points import Spread
from robust_tickets.report.sections import Chart, Line, Section, Table, Value

TITLES = {
    "robustness": "Robust accuracy",
    "robustness-curve": "Accuracy against epsilon",
    "corruption": "Accuracy under common corruptions",
    "corruption-files": "Accuracy under common corruptions, from files",
    "certified": "Certified accuracy",
    "calibration": "Calibration",
    "out-of-distribution": "Out-of-distribution detection",
}
ACCURACIES = {"robustness", "robustness-curve", "corruption", "corruption-files", "certified"}
"""Kinds whose figures are accuracies, and told in per cent."""

TEXT = "Mean ± one standard deviation over seeds, on test data. Nothing is decided on these figures."
LINES = 6
"""So many lines of a chart are told apart by colour."""


@dataclass(frozen=True)
class Subject:
    """One ticket, or dense, transferred in one way: a line of tables and charts."""

    labels: Mapping[str, Value]
    """What tells it apart, by the heading of the column."""
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


def measure_sections(measures: Sequence[Measure], subjects: Sequence[Subject]) -> list[Section]:
    """Return a section for each kind of measure; nothing where nothing further was measured."""
    named = by_name(measures)
    kinds = grouped(named, lambda name: named[name].model_dump()["kind"])
    return [_section(kind, {name: named[name] for name in names}, subjects) for kind, names in kinds.items()]


def headline_names(figures: Mapping[str, float]) -> list[str]:
    """Return the figures that tables show: those that are not parts of others, or else all."""
    shown = [name for name in figures if not name.startswith(PREFIX)]
    return [name for name in shown if "/" not in name] or shown


def _section(kind: str, measures: Mapping[str, Measure], subjects: Sequence[Subject]) -> Section:
    title = TITLES.get(kind, kind.replace("-", " ").capitalize())
    if kind == "robustness":
        tables = [_table(title, measures, subjects, kind)]
    else:
        tables = [_table(name, {name: measure}, subjects, kind) for name, measure in measures.items()]
    charts = [chart for name, measure in measures.items() for chart in _charts(name, measure, kind, subjects)]
    limits = {name: measure.model_dump().get("limit") for name, measure in measures.items()}
    few = (f"{name[0].upper()}{name[1:]}: on at most {limit:,} images." for name, limit in limits.items() if limit)
    blind = (line for name in measures if (line := _blindness(name, subjects)))
    return Section(title=title, text=" ".join((TEXT, *few, *blind)), tables=tuple(tables), charts=tuple(charts))


def _blindness(name: str, subjects: Sequence[Subject]) -> str:
    """Return in a sentence in which networks the attack of a measure saw no gradient; nothing where it always did."""
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
        f"{number} of {len(shares)} networks). Without one an attack is no evidence of robustness; such images were "
        "attacked again under a loss without scale, then searched without gradients."
    )


def _table(title: str, measures: Mapping[str, Measure], subjects: Sequence[Subject], kind: str) -> Table:
    cells: list[tuple[str, str, str]] = []
    for name, measure in measures.items():
        for figure in headline_names(subjects[0].figures[0][name]):
            heading = _heading(figure, name, measure)
            if heading not in [known for known, _, _ in cells]:
                cells.append((heading, name, figure))
    constant = [key for key in subjects[0].labels if len({subject.labels[key] for subject in subjects}) == 1]
    shown = [key for key in subjects[0].labels if key not in constant]
    unit = " (%)" if kind in ACCURACIES else ""
    return Table(
        title=title,
        columns=(*shown, *(f"{heading}{unit}" for heading, _, _ in cells)),
        rows=tuple(
            (
                *(subject.labels[key] for key in shown),
                *(_told(subject.spread(name, figure), kind) for _, name, figure in cells),
            )
            for subject in subjects
        ),
        note=", ".join(f"{key} {subjects[0].labels[key]}" for key in constant),
    )


def _heading(figure: str, name: str, measure: Measure) -> str:
    """Return a column's heading: the ball of a curve's figure, the attack of a robust accuracy, or the figure.

    Of accuracy without attack it says on how many images: attacks of other limits have other such figures.
    """
    if isinstance(measure, RobustnessCurve):
        return figure_heading(figure, measure)
    if isinstance(measure, Evaluation) and figure == "clean" and measure.limit is not None:
        return f"clean, at most {measure.limit} images"
    return name if figure == "robust" else figure


def figure_heading(figure: str, measure: Measure) -> str:
    """Return what tables call a figure: that of a curve by its ball, as in `L-inf 8/255`; others by their name."""
    if not isinstance(measure, RobustnessCurve):
        return figure
    epsilon = {measure.figure_name(epsilon): epsilon for epsilon in measure.epsilons}.get(figure)
    if epsilon is None:
        return figure
    return Ball(norm=measure.norm, epsilon=epsilon).ball_name if epsilon else "clean"


def _told(spread: Spread, kind: str) -> str:
    if kind in ACCURACIES:
        return mean_and_std(spread)
    return f"{spread.mean:.4g}" if spread.std is None else f"{spread.mean:.4g} ± {spread.std:.2g}"


def _charts(name: str, measure: Measure, kind: str, subjects: Sequence[Subject]) -> list[Chart]:
    if isinstance(measure, RobustnessCurve):
        scale, unit = (255, "/255") if measure.norm == "linf" else (1, "")
        label = f"Epsilon in {'L-inf' if measure.norm == 'linf' else 'L2'}{f' ({unit})' if unit else ''}"
        places = {scale * epsilon: [measure.figure_name(epsilon)] for epsilon in sorted(measure.epsilons)}
    elif kind.startswith("corruption"):
        label, places = "Severity", _by_severity(subjects[0].figures[0][name])
    else:
        return []
    if len(places) < 2:
        return []
    charted = grouped([subject for subject in subjects if subject.chart is not None], lambda subject: subject.chart)
    return [
        Chart(
            title=f"{name}: {chart}",
            x_label=label,
            y_label="Accuracy (%)",
            lines=tuple(_line(subject, name, places) for subject in few(together)),
            note="" if len(together) <= LINES else f"{LINES} of {len(together)} lines; the table has all.",
        )
        for chart, together in charted.items()
    ]


def _by_severity(figures: Mapping[str, float]) -> dict[float, list[str]]:
    """Return, for each severity, the figures `<kind>/<name>/<severity>`, which are averaged."""
    places: dict[float, list[str]] = {}
    for figure in figures:
        *_, last = figure.split("/")
        if last.isdigit():
            places.setdefault(float(last), []).append(figure)
    return dict(sorted(places.items()))


def _line(subject: Subject, name: str, places: Mapping[float, Sequence[str]]) -> Line:
    by_seed = [
        [100 * fmean(seed[name][figure] for figure in figures) for figures in places.values()]
        for seed in subject.figures
    ]
    points = list(zip(*by_seed, strict=True))
    return Line(
        name=subject.name,
        x=tuple(places),
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


class Compared(Settings):
    """One figure of a network beside that of the file exported from it."""

    measure: str
    figure: str
    heading: str = Field(default="", description="What tables call the figure; empty: by its name.")
    network: float
    file: float
    is_accuracy: bool = Field(default=False, description="Whether it is told in per cent, as accuracies are.")

    def cells(self) -> tuple[Value, ...]:
        """Return the line of a table: accuracies and mIoU in per cent and points, other figures as they are."""
        difference, heading = self.file - self.network, self.heading or self.figure
        if self.is_accuracy:
            told = (percent(self.network, 2), percent(self.file, 2), f"{100 * difference:+.2f}".replace("-", "−"))
            return (self.measure, f"{heading} (%)", *told)
        return (self.measure, heading, self.network, self.file, difference)


def comparison_section(title: str, text: str, rows: Sequence[Compared]) -> Section:
    """Return network against file, a line for each headline figure."""
    by_measure = grouped(rows, lambda row: row.measure)
    shown = {
        measure: headline_names({row.figure: row.file for row in together}) for measure, together in by_measure.items()
    }
    table = Table(
        title=title,
        columns=("measure", "figure", "network", "file", "file minus network"),
        rows=tuple(row.cells() for row in rows if row.figure in shown[row.measure]),
    )
    return Section(title=title, text=text, tables=(table,))
