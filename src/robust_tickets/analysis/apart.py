"""The difference between two trained networks."""

from dataclasses import dataclass

from robust_tickets.analysis.interpolation import Path


@dataclass(frozen=True)
class Apart:
    """The difference between two trained networks of one architecture."""

    angle: float | None
    """Between the prunable weights that survive in both, degrees."""
    displacements: float | None
    """Between what training added to the weights that each started from, degrees; None if it added nothing."""
    distance: float
    """L2 distance of those weights."""
    path: Path
    """Loss and error along the straight line between them."""
    shares_start: bool = True
    """Whether both were trained from the same weights, the head included; only then is the barrier an instability."""
