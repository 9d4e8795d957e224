"""How much each source's tickets gain over the first source's, next to the targets' distance from its data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.unit import Unit, sparsity_percent
from robust_tickets.measures.domain_gap import DomainGap
from robust_tickets.report.notation import in_points, scores_of, shared, signed_points
from robust_tickets.report.sections import Chart, Line, Section, Table, Value

TEXT = (
    "Mean test {score} minus that of {base}, at the same target, transfer, drawing and sparsity, {unit}; runs are "
    "paired by seed and ± is one standard deviation of the paired differences. Above zero, {base} loses."
)
REVERSED = "Where lower is better, the gain is how much lower the value is."

GAP_NOTE = (
    "Squared Fréchet distance between training {noun} of the source's data and of the target, in the features of "
    "{base}; at most {images:,} {noun} from each. Gains are means over the drawn sparsities filled so far."
)
FEW = "With no more {noun} than features, a gap is overestimated; compare only gaps from equal numbers of {noun}."


@dataclass(frozen=True)
class Gain:
    """How much better another source's runs are than the first source's, at one place of the grid."""

    target: str
    """Key of the target, see `Gains.targets`."""
    transfer: str
    drawing: str
    asked: float | None
    """The sparsity that was asked for; together with the above it identifies what is compared."""
    sparsity: float
    """Measured sparsity of the first source's ticket."""
    is_drawn: bool
    source: str
    differences: tuple[float, ...]
    """One per seed, in the metric's own unit; above 0 the first source loses."""
    metric: str
    unit: Unit
    higher_is_better: bool

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return fmean(self.differences)

    def told(self) -> str:
        """Write mean and standard deviation as `+1.2 ± 0.4`; the mean alone for one seed."""
        mean = signed_points(self.mean, self.unit)
        return f"{mean} ± {self.unit.number(stdev(self.differences))}" if len(self.differences) > 1 else mean


@dataclass(frozen=True)
class Gains:
    """Everything that other sources gain over the first one."""

    base: str
    """The first source."""
    others: tuple[str, ...]
    gains: tuple[Gain, ...]
    targets: Mapping[str, str]
    """What readers call each target."""
    gaps: Mapping[str, DomainGap]
    """Of targets, how far they lie from what the first source was pretrained on."""
    images: int
    """On how many images of either side gaps were measured at most."""


def gain_sections(found: Gains) -> list[Section]:
    """Return the gains over the first source, and the targets' gaps; nothing without gains."""
    if not found.gains:
        return []
    facets = grouped(found.gains, lambda gain: (gain.target, gain.transfer))
    tables, charts = [], []
    for (target, transfer), gains in facets.items():
        title = f"{found.targets[target]}, {transfer} transfer"
        tables.append(_table(title, found, gains))
        charts += _charts(title, found.base, gains)
    unit = shared(gain.unit for gain in found.gains)
    told = f"in {unit.points}" if unit is not None and unit.points else "in the metric's own unit"
    text = TEXT.format(base=found.base, score=scores_of(gain.metric for gain in found.gains), unit=told)
    if not all(gain.higher_is_better for gain in found.gains):
        text = f"{text} {REVERSED}"
    title = f"Gain over {found.base} tickets"
    return [Section(title=title, text=text, tables=(*_gap_tables(found), *tables), charts=tuple(charts))]


def _table(title: str, found: Gains, gains: Sequence[Gain]) -> Table:
    rows: list[tuple[Value, ...]] = []
    for line in grouped(gains, lambda gain: (gain.drawing, gain.asked)).values():
        told = {gain.source: gain.told() for gain in line}
        rows.append((line[0].drawing, sparsity_percent(line[0].sparsity), *map(told.get, found.others)))
    columns = (in_points(f"{name} minus {found.base}", gains[0].unit) for name in found.others)
    return Table(title=title, columns=("drawing", "sparsity (%)", *columns), rows=tuple(rows))


def _charts(title: str, base: str, gains: Sequence[Gain]) -> list[Chart]:
    """Return gain against sparsity, a line for each source and drawing that has two points or more."""
    several = len({gain.drawing for gain in gains if gain.is_drawn}) > 1
    unit = gains[0].unit
    lines = [
        _line(f"{name}, {way}" if several else name, unit, line)
        for (name, way), line in grouped(gains, lambda gain: (gain.source, gain.drawing)).items()
        if len(line) > 1
    ]
    if not lines:
        return []
    return [
        Chart(title=title, x_label="Sparsity (%)", y_label=in_points(f"Gain over {base}", unit), lines=tuple(lines))
    ]


def _line(name: str, unit: Unit, gains: Sequence[Gain]) -> Line:
    points = sorted(
        (gain.sparsity, gain.mean, stdev(gain.differences) if len(gain.differences) > 1 else 0.0) for gain in gains
    )
    return Line(
        name=name,
        x=tuple(100 * sparsity for sparsity, _, _ in points),
        y=tuple(unit.scaled(mean) for _, mean, _ in points),
        std=tuple(unit.scaled(spread) for _, _, spread in points),
    )


def _gap_tables(found: Gains) -> list[Table]:
    """Return gaps next to gains, the nearest target first; nothing without gaps."""
    if not found.gaps:
        return []
    gaps, noun = found.gaps, next(iter(found.gaps.values())).noun
    by_way = grouped((gain for gain in found.gains if gain.is_drawn), lambda gain: (gain.transfer, gain.source))
    rows: list[tuple[Value, ...]] = []
    for target in sorted(gaps, key=lambda name: gaps[name].distance):
        images = f"{gaps[target].source_images:,} and {gaps[target].target_images:,}"
        means = (_mean([gain for gain in gains if gain.target == target]) for gains in by_way.values())
        rows.append((found.targets[target], gaps[target].distance, images, *means))
    unit = shared(gain.unit for gain in found.gains)
    columns = (in_points(f"{source}, {transfer}: gain", unit) for transfer, source in by_way)
    note = GAP_NOTE.format(base=found.base, images=found.images, noun=noun)
    if any(gap.is_rank_deficient for gap in gaps.values()):
        note = f"{note} {FEW.format(noun=noun)}"
    return [
        Table(
            title="Domain gap and gain",
            columns=("target", "domain gap", f"{noun} of source and target", *columns),
            rows=tuple(rows),
            note=note,
        )
    ]


def _mean(gains: Sequence[Gain]) -> str | None:
    """Write the mean gain over sparsities; None without any."""
    return gains[0].unit.signed(fmean(gain.mean for gain in gains)) if gains else None
