"""What a figure is, apart from its value: a name, a unit, bounds, and whether higher is better."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.unit import PERCENT, Unit

Bounds = tuple[float | None, float | None]
"""The least and the greatest value that a figure can have, in its own unit; None: no bound."""

FRACTION: Bounds = (0.0, 1.0)


class Quantity(Protocol):
    """What determines how values are read: the metric of a task, or a `Figure`."""

    @property
    def name(self) -> str:
        """Its name in sentences and tables: `accuracy`, `mIoU`, `perplexity`."""
        ...

    @property
    def unit(self) -> Unit:
        """How its values are written."""
        ...

    @property
    def bounds(self) -> Bounds:
        """The values between which it lies."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is better."""
        ...


@final
@dataclass(frozen=True)
class Figure:
    """What one figure of a measure is; by default a fraction, written in per cent, for which higher is better."""

    name: str
    """Its name in tables and charts."""
    unit: Unit = PERCENT
    bounds: Bounds = FRACTION
    higher_is_better: bool = True


@final
@dataclass(frozen=True)
class Sweep:
    """Figures of one measure along an axis: the chart that they make."""

    axis: str
    """Label of the horizontal axis, with its unit."""
    along: Mapping[float, Sequence[str]]
    """Which figures stand at which place, ascending; of several their mean is shown."""
    of: Figure
    """What they all are."""


ACCURACY = Figure("accuracy")


def goodness(of: Quantity, value: float | None) -> float:
    """Return a value with the sign by which more is better; the least there is for None."""
    if value is None:
        return -math.inf
    return value if of.higher_is_better else -value


def require_value(of: Quantity, value: float) -> None:
    """Refuse a value that the figure cannot have.

    Raises:
        UserError: it is not a finite number, or out of bounds.
    """
    least, greatest = of.bounds
    if of.unit == PERCENT and not 0 <= value <= 1:
        raise UserError(f"{of.name} {value:g} is not a fraction: write 0.93 for 93 %")
    if not math.isfinite(value):
        raise UserError(f"{of.name} {value:g} is not a finite number; it cannot decide anything")
    if least is not None and value < least:
        raise UserError(f"{of.name} {value:g} is below {least:g}, its smallest possible value")
    if greatest is not None and value > greatest:
        raise UserError(f"{of.name} {value:g} is above {greatest:g}, its largest possible value")


def require_margin(of: Quantity, margin: float) -> None:
    """Refuse a margin within which everything would match.

    Raises:
        UserError: it is negative, or no smaller than the span of the figure's values.
    """
    least, greatest = of.bounds
    if of.unit == PERCENT and margin >= 1:
        raise UserError(f"margin: is a fraction in [0, 1); write {margin / 100:g} if you meant {margin:g} points")
    if not (math.isfinite(margin) and margin >= 0):
        raise UserError(f"margin: {margin:g}; it should be 0 or more, in the unit of {of.name}")
    if least is not None and greatest is not None and margin >= greatest - least:
        raise UserError(
            f"margin: {margin:g} spans all values of {of.name}, {least:g} to {greatest:g}; use a smaller one"
        )
