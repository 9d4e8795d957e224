"""Results on the test images before any training: the baseline if the head is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from robust_tickets.foundation.unit import Unit
from robust_tickets.measures.accuracy import Interval
from robust_tickets.report.notation import beside, headed, shared
from robust_tickets.report.sections import Section, Table, Value

TEXT = (
    "The source on the same test {noun} without any training, and tickets with the weights that their draw trained, "
    "next to dense after its transfer. Shown only if transfers keep the head: only then are its classes those of the "
    "data."
)


@dataclass(frozen=True)
class Baseline:
    """One source, or one ticket, on one target."""

    name: str
    target: str
    value: float
    """The metric before training, in its own unit."""
    interval: Interval | None
    """Of that value, 95 %, over draws of the test images; None if none is known."""
    dense: float
    """Mean over seeds after the transfer."""
    transfer: str
    unit: Unit
    noun: str = "images"
    """What the target consists of."""


def baseline_sections(baselines: Sequence[Baseline]) -> list[Section]:
    """Return a line for every source or ticket and target; nothing without any."""
    if not baselines:
        return []
    unit = shared(one.unit for one in baselines)
    columns = ("network", "target", headed("before training", unit), "95 % interval", headed("dense", unit), "transfer")
    rows = tuple(_row(one, unit) for one in baselines)
    table = Table(title="Sources and tickets before training", columns=columns, rows=rows)
    return [
        Section(title="Before training", text=TEXT.format(noun=baselines[0].noun), tables=(table,), is_verdict=True)
    ]


def _row(one: Baseline, heading: Unit | None) -> tuple[Value, ...]:
    number, interval = one.unit.number, one.interval
    bounds = f"{number(interval.lower)} to {number(interval.upper)}" if interval is not None else None
    came, dense = (beside(number(value), one.unit, heading) for value in (one.value, one.dense))
    return (one.name, one.target, came, bounds, dense, one.transfer)
