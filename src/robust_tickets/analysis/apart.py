"""The difference between two networks made from one ticket."""

from dataclasses import dataclass

from robust_tickets.analysis.interpolation import Path


@dataclass(frozen=True)
class Apart:
    """The difference between two transfers of one ticket."""

    angle: float | None
    """Between their surviving prunable weights, degrees."""
    displacements: float | None
    """Between what training added to the weights both started from, degrees; None if it added nothing."""
    distance: float
    """L2 distance of those weights."""
    path: Path
    """Loss and error along the straight line between them."""
