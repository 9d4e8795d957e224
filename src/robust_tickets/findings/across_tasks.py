"""How tickets drawn on one task do on another, against those drawn on the latter (Chen et al., 2020)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robust_tickets.findings.gains import Gain
from robust_tickets.foundation.unit import Unit, sparsity_percent
from robust_tickets.report.notation import in_points, shared
from robust_tickets.report.sections import Map, Section, Table, Value

TITLE = "Tickets across tasks"

TEXT = (
    "Every ticket (a row) on every target (a column), minus the ticket that was drawn on the target itself, at the "
    "same sparsity: TRANSFER(S, T) - TRANSFER(T, T) in Chen et al. (2020). Means of test results over runs paired by "
    "seed; ± is one standard deviation of the paired differences. Above zero, the row's ticket is better than the "
    "target's own."
)
REVERSED = "Where lower is better, the difference is how much lower the value is."


@dataclass(frozen=True)
class Own:
    """What the ticket that was drawn on a target reaches there."""

    way: str
    """Its way of drawing."""
    mean: float
    """Over seeds, on test data, in the metric's own unit."""
    unit: Unit
    metric: str
    higher_is_better: bool


@dataclass(frozen=True)
class AcrossTasks:
    """Tickets of one source and sparsity on several targets, trained there in one way."""

    transfer: str
    source: str
    sparsity: float
    """As asked for, in [0, 1]."""
    drawn_on: Mapping[str, str | None]
    """What each way of drawing trained on; None: on nothing."""
    own: Mapping[str, Own]
    """By target."""
    gains: Mapping[tuple[str, str], Gain]
    """By way of drawing and target: what is better than the target's own ticket, for the seeds that both have."""


def across_task_sections(found: Sequence[AcrossTasks]) -> list[Section]:
    """Return a table of differences for each source, transfer and sparsity, and a map of each that is full."""
    if not found:
        return []
    several = len({(one.transfer, one.source) for one in found}) > 1
    titles = [_title(one, several) for one in found]
    maps = [_map(title, one) for title, one in zip(titles, found, strict=True) if _is_full(one)]
    told = TEXT
    if not all(own.higher_is_better for one in found for own in one.own.values()):
        told = f"{TEXT} {REVERSED}"
    tables = tuple(_table(title, one) for title, one in zip(titles, found, strict=True))
    return [Section(title=TITLE, text=told, tables=tables, maps=tuple(maps))]


def _title(found: AcrossTasks, several: bool) -> str:
    sparsity = f"{sparsity_percent(found.sparsity)} % sparsity"
    return f"{sparsity}, {found.source}, {found.transfer} transfer" if several else sparsity


def _table(title: str, found: AcrossTasks) -> Table:
    columns = (in_points(f"{target}, {own.metric}", own.unit) for target, own in found.own.items())
    rows: list[tuple[Value, ...]] = []
    for way, data in found.drawn_on.items():
        rows.append((way, data, *(_cell(found, way, target) for target in found.own)))
    return Table(title=title, columns=("ticket", "drawn on", *columns), rows=tuple(rows))


def _cell(found: AcrossTasks, way: str, target: str) -> str | None:
    """Write a difference; of a target's own ticket, what it reaches; None where nothing is filled yet."""
    own, gain = found.own[target], found.gains.get((way, target))
    if way == own.way:
        return f"own: {own.unit.table(own.mean)}"
    return gain.told() if gain is not None else None


def _is_full(found: AcrossTasks) -> bool:
    """Say whether a map can show it: no cell is missing, and all differences have one unit."""
    cells = ((way, target) for way in found.drawn_on for target, own in found.own.items() if way != own.way)
    return all(cell in found.gains for cell in cells) and shared(own.unit for own in found.own.values()) is not None


def _map(title: str, found: AcrossTasks) -> Map:
    unit = shared(own.unit for own in found.own.values())
    values = tuple(tuple(_scaled(found.gains.get((way, target))) for target in found.own) for way in found.drawn_on)
    return Map(
        title=title,
        x=tuple(found.own),
        y=tuple(found.drawn_on),
        values=values,
        x_label="trained on",
        y_label="ticket",
        value_label=in_points("against the target's own ticket", unit),
    )


def _scaled(gain: Gain | None) -> float:
    """Return a difference as it is charted; 0 of a target's own ticket."""
    return 0.0 if gain is None else gain.unit.scaled(gain.mean)
