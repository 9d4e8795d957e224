"""How barriers between pairs of networks are measured, and which are low."""

from typing import Literal

from pydantic import Field

from robust_tickets.analysis.barriers import LIMIT
from robust_tickets.analysis.interpolation_settings import InterpolationSettings
from robust_tickets.foundation.settings import Settings


class BarrierSettings(Settings):
    """How barriers between pairs of networks are measured, and which are low."""

    points: int = Field(default=30, ge=3, le=1001, description="Points on the line, including both ends.")
    images: int = Field(default=1000, ge=1, description="At most this many examples, balanced over classes.")
    bn: Literal["interpolated", "recalibrated"] = Field(
        default="recalibrated",
        description="Batch-norm statistics on the line: recomputed at every point, the ends included, from training "
        "images; or interpolated like the weights. Networks without batch norm have none.",
    )
    recalibration_images: int = Field(
        default=512, ge=2, description="Training images on which statistics are recalibrated."
    )
    limit: float = Field(
        default=LIMIT,
        gt=0,
        lt=1,
        description="Mean barrier, a fraction of the examples, below which copies of a start are stable, and "
        "successive tickets linearly connected.",
    )

    @property
    def line(self) -> InterpolationSettings:
        """Return how a line is walked."""
        return InterpolationSettings(points=self.points, bn=self.bn, recalibration_images=self.recalibration_images)
