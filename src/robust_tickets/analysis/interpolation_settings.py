"""How the line between two networks is walked."""

from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings


class InterpolationSettings(Settings):
    """How the line between two networks is walked."""

    points: int = Field(default=11, ge=3, le=1001, description="Places on the line, both ends among them.")
    bn: Literal["interpolated", "recalibrated"] = Field(
        default="interpolated",
        description="Batch-norm statistics between the ends: on the line between theirs, so that the ends are the "
        "networks themselves; or computed anew at every place, ends included, from training images (Jordan et al., "
        "2022, arXiv 2211.08403: without it activations shrink half way, and a barrier may be that alone).",
    )
    recalibration_images: int = Field(
        default=512, ge=2, description="Training images that statistics are recalibrated on."
    )
    pairs: int = Field(default=1, ge=1, description="Pairs of seeds of each transfer, the first ones, that are joined.")

    @property
    def places(self) -> tuple[float, ...]:
        """Return the shares of the second network, from 0 to 1."""
        return tuple(step / (self.points - 1) for step in range(self.points))
