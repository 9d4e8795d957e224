"""How instability to training noise is measured."""

from typing import Literal

from pydantic import Field

from robust_tickets.analysis.interpolation_settings import InterpolationSettings
from robust_tickets.foundation.settings import Settings


class InstabilitySettings(Settings):
    """How instability to training noise is measured, between every two seeds of a transfer that share their start."""

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
    stable_below: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        description="Mean instability over pairs of seeds, a fraction of the images, below which a start is stable.",
    )

    @property
    def line(self) -> InterpolationSettings:
        """Return how a line is walked."""
        return InterpolationSettings(
            points=self.points, bn=self.bn, recalibration_images=self.recalibration_images, pairs=1
        )
