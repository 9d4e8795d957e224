"""How the line between two networks is walked."""

from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings


class InterpolationSettings(Settings):
    """How the line between two networks is walked."""

    points: int = Field(default=11, ge=3, le=1001, description="Points on the line, including both ends.")
    bn: Literal["interpolated", "recalibrated"] = Field(
        default="interpolated",
        description="Batch-norm statistics between the ends: interpolated like the weights, so that the ends are the "
        "networks themselves; or recomputed at every point, the ends included, from training images (Jordan et al., "
        "2022, arXiv 2211.08403: without this, activations shrink half way, which alone may cause a barrier).",
    )
    recalibration_images: int = Field(
        default=512, ge=2, description="Training images on which statistics are recalibrated."
    )
    pairs: int = Field(
        default=1, ge=1, description="Number of pairs of seeds to join in each transfer, the first ones."
    )

    @property
    def places(self) -> tuple[float, ...]:
        """Return the shares of the second network, from 0 to 1."""
        return tuple(step / (self.points - 1) for step in range(self.points))
