"""The parts of an interface that the user states."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.models.pixels import CropFraction, Interpolation, Mean, Size, Std


class PreprocessingOverrides(Settings):
    """The parts of a preprocessing that the user states; the others keep what the source says."""

    mean: Mean | None = Field(default=None, description="Mean of each input channel, for images in [0, 1].")
    std: Std | None = Field(default=None, description="Standard deviation of each input channel, in the same unit.")
    size: Size | None = Field(default=None, description="Height and width of the input, in pixels.")
    interpolation: Interpolation | None = Field(default=None, description="How images are resized.")
    crop_fraction: CropFraction | None = Field(
        default=None, description="Side of the central crop over the resized short side, in (0, 1]."
    )

    length: int | None = later_field(
        None, ge=4, description="Most tokens of a text, special ones included; longer texts are cut."
    )

    def given(self) -> dict[str, Any]:
        """Return the parts that were stated."""
        return self.model_dump(exclude_none=True)
